//! Rules survive the wire, and every fault is named by its path.

use proptest::prelude::*;

use super::*;
use crate::domain::audience::{MAX_DEPTH, condition::MAX_CHOICES, samples};
use pb::rule::Rule as Wire;

const BRAND: &str = "organizations/brand";

fn read(rule: Wire) -> Result<Audience, Violations> {
    Rules::of_campaign(Some(BRAND)).audience(Some(pb::Rule { rule: Some(rule) }))
}

fn fields(rule: Wire) -> Vec<String> {
    let wrong = read(rule).expect_err("refused");
    wrong.iter().map(|violation| violation.field.clone()).collect()
}

proptest! {
    #[test]
    fn rules_survive_the_wire(rule in samples::rule(true)) {
        let audience = Audience::new(rule).expect("small");
        let rules = Rules::of_campaign(None);
        prop_assert_eq!(rules.audience(audience_to_wire(&audience)), Ok(audience.clone()));
        let stored = serde_json::to_string(&audience).expect("plain");
        prop_assert_eq!(serde_json::from_str::<Audience>(&stored).expect("ours"), audience);
    }
}

#[test]
fn a_tree_past_its_bounds_is_one_fault() {
    let empty = pb::Rule { rule: None };
    let negate = |inner: pb::Rule, _| pb::Rule { rule: Some(Wire::Not(Box::new(inner))) };
    let deep = (0..MAX_DEPTH).fold(empty.clone(), negate);
    let wide = pb::Rule { rule: Some(Wire::Any(pb::Rules { rules: vec![empty; 100_000] })) };
    for wire in [deep, wide] {
        let wrong = Rules::of_campaign(None).audience(Some(wire)).expect_err("refused");
        assert_eq!(wrong.count(), 1, "{wrong}");
        assert!(wrong.to_string().contains("must have at most"), "{wrong}");
    }
}

#[test]
fn faults_are_named_by_their_path() {
    let trait_rule = pb::Rule { rule: Some(Wire::Trait(pb::TraitCondition::default())) };
    let all = pb::Rules { rules: vec![pb::Rule { rule: None }, trait_rule] };
    let within = "all.rules[1].trait";
    assert_eq!(
        fields(Wire::All(all)),
        ["all.rules[0]", &format!("{within}.key"), &format!("{within}.comparison"), &format!("{within}.value")]
    );
}

#[test]
fn each_condition_names_what_is_wrong_with_it() {
    let text = |text: &str| pb::TraitValue { value: Some(pb::trait_value::Value::Text(text.into())) };
    let date = |text: &str| pb::TraitValue { value: Some(pb::trait_value::Value::Date(text.into())) };
    let values = vec![text("gold"), date("2026-02-30"), pb::TraitValue::default()];
    let key = || "tier".to_owned();
    let among = |values| Wire::TraitIn(pb::TraitInCondition { key: key(), values });
    assert_eq!(fields(among(values)), ["trait_in.values[1]", "trait_in.values[2]"]);
    assert_eq!(fields(among(vec![text("x"); MAX_CHOICES + 1])), ["trait_in.values"]);
    assert_eq!(fields(Wire::TraitKnown("Tier".into())), ["trait_known"]);
    let when = Some(pb::trait_date_condition::When::AnniversaryWithinDays(366));
    let dated = |when| Wire::TraitDate(pb::TraitDateCondition { key: key(), when });
    assert_eq!(fields(dated(when)), ["trait_date.anniversary_within_days"]);
    assert_eq!(fields(dated(None)), ["trait_date"]);
    let visits = pb::VisitsCondition { within_days: 91, ..Default::default() };
    assert_eq!(fields(Wire::Visits(visits)), ["visits.within_days", "visits"]);
    let tagged = pb::TaggedPlaces { network: "acme".into(), tags: vec!["Cafe".into()] };
    let at = Some(pb::VisitedPlaces { at: Some(pb::visited_places::At::Tagged(tagged)) });
    let ago = Some(pb::last_visit_condition::Ago::AtLeastDays(90));
    let last = pb::LastVisitCondition { at, ago };
    let expected = ["last_visit.at.tagged.network", "last_visit.at.tagged.tags[0]", "last_visit.at_least_days"];
    assert_eq!(fields(Wire::LastVisit(last)), expected);
    let of = Some(pb::offers_condition::Of::WholeBrand(false));
    let offers = pb::OffersCondition { of, event: 9, within_days: 0, count: None };
    assert_eq!(fields(Wire::Offers(offers)), ["offers.whole_brand", "offers.event", "offers.within_days", "offers"]);
    let place = |test| Wire::Place(pb::PlaceCondition { test });
    assert_eq!(fields(place(None)), ["place"]);
    assert_eq!(fields(place(Some(pb::place_condition::Test::AnyTag(pb::Tags::default())))), ["place.any_tag.tags"]);
    let none = pb::Rules::default;
    assert_eq!(
        (fields(Wire::All(none())), fields(Wire::Any(none()))),
        (vec!["all.rules".to_owned()], vec!["any.rules".to_owned()])
    );
    assert_eq!(fields(place(Some(pb::place_condition::Test::WithinM(0)))), ["place.within_m"]);
    let moment = |weekdays: &[i32], from: &str, to: &str| {
        let (from, to) = (from.to_owned(), to.to_owned());
        Wire::Moment(pb::MomentCondition { weekdays: weekdays.to_vec(), from, to, clock: 3 })
    };
    assert_eq!(
        fields(moment(&[1, 0, 8], "9", "")),
        ["moment.weekdays[1]", "moment.weekdays[2]", "moment.from", "moment.to", "moment.clock"]
    );
    assert_eq!(fields(moment(&[], "", "")), ["moment.clock", "moment"]);
    assert_eq!(fields(moment(&[], "09:00", "09:00")), ["moment.to", "moment.clock"]);
    let device = |test| Wire::Device(pb::DeviceCondition { test: Some(test) });
    use pb::device_condition::Test;
    assert_eq!(fields(device(Test::AppVersionBelow("v2".into()))), ["device.app_version_below"]);
    let platforms = pb::Platforms { platforms: vec![1, 0, 99] };
    let expected = ["device.platforms.platforms[1]", "device.platforms.platforms[2]"];
    assert_eq!(fields(device(Test::Platforms(platforms))), expected);
    let languages = pb::Languages { languages: vec![] };
    assert_eq!(fields(device(Test::Languages(languages))), ["device.languages.languages"]);
}

#[test]
fn a_rule_names_what_is_its_own_only() {
    let of = Some(pb::offers_condition::Of::Campaign("organizations/rival/campaigns/c".into()));
    let count = Some(pb::offers_condition::Count::AtLeast(1));
    let offers = pb::OffersCondition { of, event: 1, within_days: 9, count };
    let segment = |owner: &str| Wire::Segment(format!("organizations/{owner}/segments/s"));
    let rules = [Wire::Offers(offers), segment("rival"), segment("brand")].map(|rule| pb::Rule { rule: Some(rule) });
    let any = || Wire::Any(pb::Rules { rules: rules.to_vec() });
    assert_eq!(fields(any()), ["any.rules[0].offers.campaign", "any.rules[1].segment"]);
    let wrong = Rules::of_segment(Some(BRAND)).audience(Some(pb::Rule { rule: Some(any()) })).expect_err("refused");
    let told: Vec<_> = wrong.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(told, ["any.rules[0].offers.campaign", "any.rules[1].segment", "any.rules[2].segment"]);
}
