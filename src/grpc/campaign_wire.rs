//! Campaigns on the wire.
//!
//! Law 8: every field is decided upon; a default is the domain's and stated in the proto, never a silent zero.

use std::collections::BTreeSet;

use crate::{
    domain::{
        campaign::{Campaign, CampaignState, Limits, MAX_TESTERS, MAX_TOPICS, Priority, Weight, check_budgets},
        coupon::Coupon,
        name::{CampaignName, DeviceName},
        text::{MAX_DISPLAY_NAME, Topic, line},
        violation::{Invalid, Violations, at_most},
    },
    engine::catalog::Entry,
    grpc::{
        audience_wire::{Rules, audience_to_wire},
        campaign_limits_wire::{limits, limits_to_wire},
        content_wire::{content, content_to_wire},
        coupon_wire::{coupon, coupon_to_wire},
        experiment_wire::{experiment, experiment_to_wire},
        pb,
        resource::{Patched, Wire},
        trigger_wire::{trigger, trigger_to_wire},
        wire::not_one_of,
    },
};

impl Wire for Campaign {
    type Message = pb::Campaign;
    const FIELD: &'static str = "campaign";

    fn read(message: pb::Campaign, name: CampaignName) -> Result<Self, Violations> {
        let own = name.clone();
        read(message, name, &Rules::of_campaign(Some(own.owner())))
    }

    fn check(message: pb::Campaign, stand_in: CampaignName) -> Result<(), Violations> {
        read(message, stand_in, &Rules::of_campaign(None)).map(drop)
    }

    fn write(entry: &Entry<Self>) -> pb::Campaign {
        let Campaign {
            name,
            display_name,
            state,
            audience,
            content,
            topics,
            trigger,
            limits,
            weight,
            priority,
            coupon,
            experiment,
            testers,
        } = entry.value.as_ref();
        pb::Campaign {
            name: name.to_string(),
            display_name: display_name.clone(),
            state: state_to_wire(*state).into(),
            audience: audience_to_wire(audience),
            content: Some(content_to_wire(content)),
            topics: topics.iter().map(Topic::to_string).collect(),
            trigger: Some(trigger_to_wire(trigger)),
            limits: Some(limits_to_wire(limits)),
            weight: Some(weight.get()),
            etag: entry.etag.to_string(),
            coupon: coupon.as_ref().map(coupon_to_wire),
            priority: priority_to_wire(*priority).into(),
            experiment: experiment.as_ref().map(experiment_to_wire),
            testers: testers.iter().map(DeviceName::to_string).collect(),
            // Of the whole catalog, which whoever writes one campaign does not see.
            problems: Vec::new(),
        }
    }
}

/// The campaign, with a rule read in this way.
fn read(message: pb::Campaign, name: CampaignName, rules: &Rules<'_>) -> Result<Campaign, Violations> {
    let pb::Campaign {
        name: _,
        display_name,
        state: _,
        audience: who,
        content: what,
        topics: about,
        trigger: when,
        limits: within,
        weight,
        etag: _,
        coupon: worth,
        priority: class,
        experiment: compared,
        testers: tried_by,
        problems: _,
    } = message;
    let mut wrong = Violations::default();
    let display_name = wrong.take("display_name", line(&display_name, MAX_DISPLAY_NAME));
    let audience = wrong.nest("audience", rules.audience(who));
    let content = wrong.nest("content", content(what.unwrap_or_default()));
    let topics = topics(&mut wrong, &about);
    let trigger = wrong.nest("trigger", trigger(when.unwrap_or_default()));
    let limits = wrong.nest("limits", limits(within.unwrap_or_default()));
    let weight = wrong.take("weight", weight.map_or(Ok(Weight::default()), Weight::new));
    let priority = wrong.take("priority", priority(class));
    let coupon = wrong.nest("coupon", worth.map(coupon).transpose());
    let experiment = wrong.nest("experiment", compared.map(experiment).transpose());
    let testers = testers(&mut wrong, &tried_by);
    if let (Some(limits), Some(coupon)) = (&limits, &coupon) {
        wrong.nest("limits.budgets", check_budgets(&limits.budgets, coupon.as_ref()));
        wrong.take("coupon.redeem_after", redeemable(limits, coupon.as_ref()));
    }
    let campaign = (|| {
        Some(Campaign {
            name,
            display_name: display_name?,
            state: CampaignState::Draft,
            audience: audience?,
            content: content?,
            topics,
            trigger: trigger?,
            limits: limits?,
            weight: weight?,
            priority: priority?,
            coupon: coupon?,
            experiment: experiment?,
            testers,
        })
    })();
    wrong.finish(campaign)
}

/// Whether what the campaign gives can be redeemed before it is over.
fn redeemable(limits: &Limits, coupon: Option<&Coupon>) -> Result<(), Invalid> {
    let Some(Coupon { redeem_after: wait, .. }) = coupon else { return Ok(()) };
    let lasts = limits.starts_at.zip(limits.ends_at).map(|(starts, ends)| ends.since(starts));
    let too_long = |what| Err(Invalid::new(format!("must be less than {what}, or it could never be redeemed")));
    match lasts {
        _ if *wait >= limits.valid_for => too_long("limits.valid_for"),
        Some(lasts) if *wait >= lasts => too_long("the time from limits.start_time to limits.end_time"),
        _ => Ok(()),
    }
}

impl Patched for Campaign {
    fn name_of(message: &pb::Campaign) -> &str {
        &message.name
    }
    fn etag_of(message: &pb::Campaign) -> &str {
        &message.etag
    }
}

fn state_to_wire(state: CampaignState) -> pb::campaign::State {
    match state {
        CampaignState::Draft => pb::campaign::State::Draft,
        CampaignState::Active => pb::campaign::State::Active,
        CampaignState::Paused => pb::campaign::State::Paused,
        CampaignState::Archived => pb::campaign::State::Archived,
    }
}

fn priority(wire: i32) -> Result<Priority, Invalid> {
    use pb::campaign::Priority as Wire;
    match Wire::try_from(wire) {
        Ok(Wire::Unspecified) => Ok(Priority::default()),
        Ok(Wire::Low) => Ok(Priority::Low),
        Ok(Wire::Normal) => Ok(Priority::Normal),
        Ok(Wire::High) => Ok(Priority::High),
        Err(_) => Err(not_one_of(wire, Wire::as_str_name)),
    }
}

fn priority_to_wire(priority: Priority) -> pb::campaign::Priority {
    match priority {
        Priority::Low => pb::campaign::Priority::Low,
        Priority::Normal => pb::campaign::Priority::Normal,
        Priority::High => pb::campaign::Priority::High,
    }
}

/// The state a list is narrowed to; none for all of them.
pub fn state_filter(wire: i32) -> Result<Option<CampaignState>, Invalid> {
    use pb::campaign::State;
    match State::try_from(wire) {
        Ok(State::Unspecified) => Ok(None),
        Ok(State::Draft) => Ok(Some(CampaignState::Draft)),
        Ok(State::Active) => Ok(Some(CampaignState::Active)),
        Ok(State::Paused) => Ok(Some(CampaignState::Paused)),
        Ok(State::Archived) => Ok(Some(CampaignState::Archived)),
        Err(_) => Err(not_one_of(wire, State::as_str_name)),
    }
}

fn topics(wrong: &mut Violations, topics: &[String]) -> BTreeSet<Topic> {
    if topics.len() > MAX_TOPICS {
        wrong.add("topics", format!("must be at most {MAX_TOPICS}, were {}", topics.len()));
        return BTreeSet::new();
    }
    let each = topics.iter().enumerate();
    each.filter_map(|(i, topic)| wrong.take(format!("topics[{i}]"), Topic::new(topic))).collect()
}

fn testers(wrong: &mut Violations, devices: &[String]) -> BTreeSet<DeviceName> {
    if wrong.take("testers", at_most(MAX_TESTERS, devices.len())).is_none() {
        return BTreeSet::new();
    }
    let each = devices.iter().enumerate();
    each.filter_map(|(i, device)| wrong.take(format!("testers[{i}]"), DeviceName::parse(device))).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::grpc::resource::read_again;

    fn name() -> CampaignName {
        CampaignName::parse("organizations/acme/campaigns/coffee").expect("sound")
    }

    fn coffee() -> pb::Campaign {
        let places = vec!["organizations/acme/stores/1".to_owned(), "organizations/acme/geofences/2".to_owned()];
        pb::Campaign {
            display_name: "Coffee".into(),
            content: Some(pb::Content { title: "One free".into(), ..Default::default() }),
            topics: vec!["coffee".into()],
            testers: vec!["organizations/acme/apps/a/devices/d".into()],
            trigger: Some(pb::Trigger {
                on: Some(pb::trigger::On::Entered(pb::Entered {})),
                at: Some(pb::trigger::At::Places(pb::Places { places })),
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    #[test]
    fn campaigns_survive_the_wire() {
        let campaign = Campaign::read(coffee(), name()).expect("sound");
        assert_eq!((campaign.limits.clone(), campaign.weight), (Limits::default(), Weight::default()));
        let entry = Entry { etag: 3, value: Arc::new(campaign) };
        assert_eq!(Campaign::read(Campaign::write(&entry), name()).as_ref(), Ok(entry.value.as_ref()));
    }

    #[test]
    fn a_rule_names_campaigns_of_its_own_organization_whoever_that_is() {
        let asks = |segment: &str| pb::Campaign {
            audience: Some(pb::Rule { rule: Some(pb::rule::Rule::Segment(segment.into())) }),
            ..coffee()
        };
        // The name that stands in where one is refused.
        let zero = || CampaignName::parse("organizations/0/campaigns/0").expect("sound");
        assert!(Campaign::read(asks("organizations/0/segments/s"), zero()).is_ok());
        let rivals = || asks("organizations/rival/segments/s");
        let wrong = Campaign::read(rivals(), zero()).expect_err("a rival's").to_string();
        assert_eq!(wrong, "audience.segment: must be of organizations/0, was of organizations/rival");
        assert!(Campaign::check(rivals(), zero()).is_ok(), "nobody knows whose it shall be");
    }

    #[test]
    fn what_is_allowed_no_more_is_refused_when_it_is_read_again() {
        let campaign = Campaign::read(coffee(), name()).expect("sound");
        assert_eq!(read_again(&campaign).as_ref(), Ok(&campaign));
        let device = |i| DeviceName::parse(&format!("organizations/acme/apps/a/devices/d{i}")).expect("sound");
        let older = Campaign { testers: (0..=MAX_TESTERS).map(device).collect(), ..campaign };
        let wrong = read_again(&older).expect_err("too many");
        assert_eq!(wrong.iter().map(|violation| violation.field.as_str()).collect::<Vec<_>>(), ["campaign.testers"]);
    }

    #[test]
    fn every_fault_is_named() {
        let second = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        let message = pb::Campaign {
            content: Some(pb::Content { link: "javascript:1".into(), ..Default::default() }),
            trigger: Some(pb::Trigger {
                on: Some(pb::trigger::On::Near(pb::Near { radius_m: 1 })),
                ..Default::default()
            }),
            limits: Some(pb::Limits { start_time: second(2), end_time: second(1), ..Default::default() }),
            weight: Some(0.0),
            testers: vec!["organizations/acme/apps/a/devices/d".into(), "my phone".into()],
            ..coffee()
        };
        let wrong = Campaign::read(message, name()).expect_err("faulty");
        let fields: Vec<&str> = wrong.iter().map(|violation| violation.field.as_str()).collect();
        let expected = [
            "content.title",
            "content.link",
            "trigger.near.radius_m",
            "trigger",
            "limits.end_time",
            "weight",
            "testers[1]",
        ];
        assert_eq!(fields, expected);
    }
}
