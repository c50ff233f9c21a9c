//! From what a campaign says to what one person is shown: the language, and what is filled in.
//!
//! Laws: asked of what was chosen only, for it is the one part of an offer that costs more with every word. Law 4: traits
//! are read with a permit for profiling; without it each has its default.

use super::experiment::Drawn;
use crate::domain::{
    audience::TraitValue,
    campaign::Campaign,
    content::{Content, MAX_BODY, MAX_CALL_TO_ACTION, MAX_TITLE, Message},
    place::Store,
    template::Variable,
    text::TraitKey,
};

/// What may be filled in.
pub struct Facts<'a> {
    /// What profiling may know of the person.
    pub traits: &'a dyn Fn(&TraitKey) -> Option<&'a TraitValue>,
    pub store: Option<&'a Store>,
    /// What people call the place.
    pub place: Option<&'a str>,
    pub distance_m: Option<f64>,
}

/// What the campaign says to somebody who speaks this language: by its own content, or that of an experiment's variant.
pub fn message(campaign: &Campaign, drawn: Option<Drawn<'_>>, language: &str, facts: &Facts<'_>) -> Message {
    let content = drawn.and_then(|drawn| drawn.content()).unwrap_or(&campaign.content);
    let (language, words) = content.words_for(language);
    let value = |variable: &Variable| value(variable, (campaign, content), facts);
    let own = |own: &str, default: &str| if own.is_empty() { default.to_owned() } else { own.to_owned() };
    Message {
        language: language.to_owned(),
        title: words.title.fill(MAX_TITLE, value),
        body: words.body.fill(MAX_BODY, value),
        call_to_action: words.call_to_action.fill(MAX_CALL_TO_ACTION, value),
        image_url: own(&words.image_url, &content.words.image_url),
        link: own(&words.link, &content.words.link),
        price: content.price.clone(),
        survey: content.survey.clone(),
        custom: content.custom.clone(),
    }
}

fn value(variable: &Variable, (campaign, content): (&Campaign, &Content), facts: &Facts<'_>) -> Option<String> {
    let coupon = campaign.coupon.as_ref();
    match variable {
        Variable::Trait(key) => (facts.traits)(key).map(in_words),
        Variable::StoreName => facts.store.map(|store| store.display_name.clone()),
        Variable::StoreAddress => facts.store.map(|store| store.address.clone()),
        Variable::PlaceName => facts.store.map(|store| store.display_name.as_str()).or(facts.place).map(str::to_owned),
        Variable::DistanceM => facts.distance_m.map(|metres| format!("{metres:.0}")),
        Variable::Price => content.price.as_ref().map(ToString::to_string),
        Variable::CouponInstruction => coupon.map(|coupon| coupon.instruction.clone()),
        Variable::CouponValue => coupon.and_then(|coupon| coupon.value.as_ref()).map(ToString::to_string),
    }
}

/// Without the quotes that texts have in receipts.
fn in_words(value: &TraitValue) -> String {
    match value {
        TraitValue::Text(text) => text.clone(),
        other @ (TraitValue::Number(_) | TraitValue::Flag(_) | TraitValue::Date(_)) => other.to_string(),
    }
}
