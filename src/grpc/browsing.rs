//! Looking around for offers, as messages.

use crate::{
    app::browsing::View,
    domain::{content::Message, decision::Note, violation::Violations},
    engine::browsing::Preview,
    grpc::{
        content_wire::{custom_to_wire, survey_to_wire},
        offers::{notes_to_wire, place_to_wire, store_to_wire},
        pb,
        wire::{limit, money_to_wire, position, radius, timestamp_to_wire},
    },
};

/// Metres looked around in if the request does not say, and at most: who looks for offers goes there on foot.
const RADIUS_M: (f64, f64) = (1_000.0, 5_000.0);
/// Previews answered if the request does not say, and at most.
const LIMIT: (u32, u32) = (20, 100);

/// What the request looks for.
pub fn view(request: &pb::ListNearbyOffersRequest, wrong: &mut Violations) -> Option<View> {
    let position = wrong.nest("position", position(request.position));
    let radius_m = wrong.take("radius_m", radius(request.radius_m, RADIUS_M));
    let limit = wrong.take("limit", limit(request.limit, LIMIT));
    Some(View { position: position?, radius_m: radius_m?, limit: limit? })
}

pub fn previews_to_wire((previews, notes): (Vec<Preview>, Vec<Note>)) -> pb::ListNearbyOffersResponse {
    let offers = previews.into_iter().map(preview_to_wire).collect();
    pb::ListNearbyOffersResponse { offers, notes: notes_to_wire(&notes) }
}

fn preview_to_wire(preview: Preview) -> pb::OfferPreview {
    let Preview { campaign, message, area, store, distance_m, valid_until, instruction } = preview;
    let Message { language, title, body, call_to_action, image_url, link, price, survey, custom } = message;
    pb::OfferPreview {
        campaign: campaign.to_string(),
        place: place_to_wire(&area).0,
        store: store.as_ref().map(store_to_wire),
        distance_m,
        valid_until: Some(timestamp_to_wire(valid_until)),
        coupon_instruction: instruction.unwrap_or_default(),
        language,
        title,
        body,
        call_to_action,
        image_url,
        link,
        price: price.as_ref().map(money_to_wire),
        survey: survey_to_wire(survey.as_ref()),
        custom_json: custom_to_wire(custom.as_ref()),
    }
}
