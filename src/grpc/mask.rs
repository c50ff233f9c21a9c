//! Field masks (AIP-134, AIP-161): which fields of a patch replace those of what is there.
//!
//! Laws: an unknown path is refused; an empty mask means every field that is set; `*` means all of them. A field that
//! only the server writes may be named, and is left alone.

use prost_types::FieldMask;

use crate::{
    domain::{
        text::quoted,
        violation::{Violations, at_most},
    },
    grpc::pb,
};

/// Most paths of one mask: no message has more fields.
pub const MAX_PATHS: usize = 100;

/// A message that can be patched field by field.
pub trait Masked: Default {
    /// Every field a caller may write.
    const FIELDS: &'static [&'static str];

    /// Takes over one field of `from`; `a.b` is field `b` of the message in field `a`. False if there is no such field.
    fn take_over(&mut self, from: &Self, path: &str) -> bool;

    /// The paths of all fields that are set, those of nested messages one by one.
    fn populated(&self) -> Vec<String>;
}

/// Refuses a mask with paths that the message does not have.
pub fn check_mask<M: Masked>(mask: Option<&FieldMask>) -> Result<(), Violations> {
    let mut wrong = Violations::default();
    wrong.take("update_mask", at_most(MAX_PATHS, mask.map_or(0, |mask| mask.paths.len())));
    let (mut current, patch) = (M::default(), M::default());
    for path in paths(&patch, mask) {
        if !current.take_over(&patch, &path) {
            wrong.add("update_mask", no_field(&path, &M::FIELDS.join(", ")));
        }
    }
    wrong.finish(Some(()))
}

/// What a path is refused with that is none of the known ones.
pub fn no_field(path: &str, known: &str) -> String {
    match path {
        "*" => "has \"*\", which means every field, beside other paths: send it alone".to_owned(),
        _ => format!("has no field {}; known are {known}", quoted(path)),
    }
}

/// `current`, with the fields of `patch` that a sound mask names.
pub fn patched<M: Masked>(mut current: M, patch: &M, mask: Option<&FieldMask>) -> M {
    for path in paths(patch, mask) {
        current.take_over(patch, &path);
    }
    current
}

/// The paths that a mask means for this patch, at most `MAX_PATHS`.
pub fn paths<M: Masked>(patch: &M, mask: Option<&FieldMask>) -> Vec<String> {
    match mask.map(|mask| mask.paths.as_slice()) {
        None | Some([]) => patch.populated(),
        Some([all]) if all == "*" => M::FIELDS.iter().map(|&field| field.to_owned()).collect(),
        Some(paths) => paths.iter().take(MAX_PATHS).cloned().collect(),
    }
}

macro_rules! masked {
    ($M:ident { $($field:ident),* } $(nested { $($nested:ident),* })? $(output { $($output:ident),* })?) => {
        impl Masked for pb::$M {
            const FIELDS: &'static [&'static str] = &[$(stringify!($field),)* $($(stringify!($nested),)*)?];

            fn take_over(&mut self, from: &Self, path: &str) -> bool {
                match path {
                    $(stringify!($field) => self.$field.clone_from(&from.$field),)*
                    $($(stringify!($nested) => self.$nested.clone_from(&from.$nested),)*)?
                    $($(stringify!($output) => {})*)?
                    path => {
                        $($(if let Some(path) = path.strip_prefix(concat!(stringify!($nested), ".")) {
                            let inner = self.$nested.get_or_insert_default();
                            return match &from.$nested {
                                Some(from) => inner.take_over(from, path),
                                None => inner.take_over(&Default::default(), path),
                            };
                        })*)?
                        let _ = path;
                        return false;
                    }
                }
                true
            }

            fn populated(&self) -> Vec<String> {
                let unset = Self::default();
                let mut set = Vec::new();
                $(if self.$field != unset.$field { set.push(stringify!($field).to_owned()); })*
                $($(if let Some(inner) = &self.$nested {
                    set.extend(inner.populated().iter().map(|path| format!("{}.{path}", stringify!($nested))));
                })*)?
                set
            }
        }
    };
}

masked!(Organization { display_name } nested { brand_limits } output { name, etag });
masked!(BrandLimits { per_profile, cool_down });
masked!(
    App { display_name, time_zone, daily_offers, quiet_hours, traits, cool_down, quiet_hours_exempt_brands }
    nested { priority_shares }
    output { name, etag }
);
masked!(PriorityShares { low_percent, normal_percent });
masked!(
    Store { display_name, position, time_zone, address, brand, opening_hours, tags, country, source }
    output { name, etag }
);
masked!(
    Geofence { display_name, shape, store, tags, source }
    nested { detection }
    output { name, etag, effective_distances }
);
masked!(Detection {
    enter_probability,
    confirm_probability,
    confirm_after,
    leave_margin_m,
    leave_after,
    stopped_for,
    dwell_after
});
masked!(Beacon { display_name, identity, store, tags } output { name, etag });
masked!(
    Campaign { display_name, audience, topics, trigger, weight, coupon, priority, experiment, testers }
    nested { content, limits }
    output { name, state, etag, problems }
);
masked!(Segment { display_name, rule } output { name, etag });
masked!(Content { title, body, image_url, link, price, call_to_action, language, translations, survey, custom_json });
masked!(Limits {
    start_time,
    end_time,
    per_profile,
    cool_down,
    budgets,
    show_within,
    valid_for,
    windows,
    window_clock,
    only_while_open,
    never_after_redeemed,
    also_in_quiet_hours
});

#[cfg(test)]
mod tests {
    use super::*;

    fn campaign(title: &str, body: &str, budget: Option<u64>) -> pb::Campaign {
        pb::Campaign {
            display_name: "Coffee".into(),
            content: Some(pb::Content { title: title.into(), body: body.into(), ..Default::default() }),
            limits: budget.map(|limit| {
                let budgets = vec![pb::Budget { unit: 1, limit, ..Default::default() }];
                pb::Limits { budgets, ..Default::default() }
            }),
            ..Default::default()
        }
    }

    fn mask(paths: &[&str]) -> FieldMask {
        FieldMask { paths: paths.iter().map(|&path| path.to_owned()).collect() }
    }

    fn after(patch: &pb::Campaign, paths: &[&str]) -> pb::Campaign {
        patched(campaign("Old", "Stays", Some(10)), patch, Some(&mask(paths)))
    }

    #[test]
    fn an_empty_mask_takes_what_is_set() {
        let patch = pb::Campaign {
            content: Some(pb::Content { title: "New".into(), ..Default::default() }),
            ..Default::default()
        };
        assert_eq!(after(&patch, &[]), campaign("New", "Stays", Some(10)));
        assert_eq!(patched(campaign("Old", "Stays", None), &patch, None), campaign("New", "Stays", None));
    }

    #[test]
    fn a_path_takes_one_field_even_if_it_is_unset() {
        let patch = campaign("New", "", None);
        assert_eq!(after(&patch, &["content.title"]), campaign("New", "Stays", Some(10)));
        assert_eq!(after(&patch, &["content"]), campaign("New", "", Some(10)));
        let freed = after(&patch, &["limits.budgets"]);
        assert_eq!(freed.limits.expect("kept").budgets, []);
        assert_eq!(after(&patch, &["*"]), patch);
    }

    #[test]
    fn unknown_paths_are_named_all_at_once() {
        let wrong = |paths: &[&str]| check_mask::<pb::Campaign>(Some(&mask(paths))).expect_err("refused");
        assert_eq!(wrong(&["titel", "content.colour", "etag", "problems", "content.price.x"]).count(), 3);
        let beside = wrong(&["*", "content"]);
        assert!(beside.to_string().contains("send it alone"), "{beside}");
        assert_eq!(wrong(&["x"; 100_000]).count(), 1 + MAX_PATHS, "those past the bound are not read");
    }
}
