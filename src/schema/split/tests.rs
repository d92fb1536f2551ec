//! Who goes where, what a guard makes of it, and how a share grows.

use std::net::{IpAddr, Ipv4Addr};

use http::{HeaderMap, HeaderValue};

use super::*;

fn instant() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn plan() -> Plan {
    Plan {
        route: "*".into(),
        sides: vec![("app".into(), 90), ("canary".into(), 10)],
        choices: Vec::new(),
        sticky: None,
        new: 1,
        guard: None,
        ramp: None,
    }
}

fn guarded() -> Plan {
    Plan {
        guard: Some(Guard {
            errors: 0.05,
            slower: Some(2.0),
            minimum: 50,
            window: Duration::from_secs(10),
        }),
        ..plan()
    }
}

fn header(name: &'static str, value: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(name, HeaderValue::try_from(value).unwrap());
    headers
}

fn chosen(split: &Split, headers: &HeaderMap, random: u64) -> Chosen {
    let nobody = || IpAddr::V4(Ipv4Addr::LOCALHOST);
    split.choose(headers, nobody, || random)
}

/// How many of `count` callers go to the second side.
fn share_of_canary(split: &Split, count: u64) -> u64 {
    let by_chance = |at: u64| chosen(split, &HeaderMap::new(), mixed(&at.to_le_bytes())).side;
    (0..count).map(|at| by_chance(at) as u64).sum()
}

#[test]
fn weights_are_shares() {
    let split = Split::new(plan());
    let share = share_of_canary(&split, 10_000);
    assert!((900..=1100).contains(&share), "{share}");
    for (weights, low, high) in [((1, 0), 0, 0), ((0, 1), 1000, 1000), ((1, 1), 440, 560)] {
        let (app, canary) = weights;
        split
            .set(&[("app".to_owned(), app), ("canary".to_owned(), canary)])
            .unwrap();
        let share = share_of_canary(&split, 1000);
        assert!((low..=high).contains(&share), "{weights:?}: {share}");
    }
    assert_eq!(split.phase(), Phase::ByHand);
}

#[test]
fn weights_that_lead_nowhere_are_refused_and_change_nothing() {
    let split = Split::new(plan());
    let before = split.sides();
    for (named, expected) in [
        (
            vec![("nobody", 1)],
            "`nobody` is no side of this split: app, canary",
        ),
        (vec![("app", 0), ("canary", 0)], "no side is left"),
        (
            vec![("app", 1)],
            "say the weight of every side: app, canary",
        ),
        (
            vec![("app", 10_001), ("canary", 1)],
            "the weight of `app` is more than 10000",
        ),
    ] {
        let named: Vec<_> = named
            .into_iter()
            .map(|(name, w)| (name.to_owned(), w))
            .collect();
        let told = split.set(&named).unwrap_err();
        assert!(told.contains(expected), "{told}");
        assert_eq!(split.sides(), before);
    }
    assert_eq!(split.phase(), Phase::Steady);
}

#[test]
fn a_call_may_say_itself_where_it_goes() {
    let choice = |source, value: Option<&str>| Choice {
        source,
        value: value.map(Box::from),
        side: 1,
    };
    let split = Split::new(Plan {
        sides: vec![("app".into(), 1), ("canary".into(), 0)],
        choices: vec![
            choice(HeaderSource::Header("x-version".into()), Some("new")),
            choice(HeaderSource::Cookie("beta".into()), None),
        ],
        ..plan()
    });
    for (headers, side) in [
        (HeaderMap::new(), 0),
        (header("x-version", "old"), 0),
        (header("x-version", "new"), 1),
        (header("cookie", "a=1; beta=; c=2"), 1),
        (header("cookie", "a=1; alphabeta=1; beta2=3"), 0),
    ] {
        let chosen = chosen(&split, &headers, 0);
        assert_eq!(
            (chosen.side, chosen.by_weight),
            (side, side == 0),
            "{headers:?}"
        );
    }
}

/// Who is at the new side stays there while its share grows.
#[test]
fn what_is_sticky_stays_while_a_share_grows() {
    let split = Split::new(Plan {
        sticky: Some(Sticky::Value(HeaderSource::Header("x-user".into()))),
        ..plan()
    });
    let of = |user: u32| chosen(&split, &header("x-user", &format!("user-{user}")), 0).side;
    let before: Vec<usize> = (0..1000).map(of).collect();
    let share: usize = before.iter().sum();
    assert!((60..=140).contains(&share), "{share}");
    split
        .set(&[("app".to_owned(), 50), ("canary".to_owned(), 50)])
        .unwrap();
    let after: Vec<usize> = (0..1000).map(of).collect();
    assert!(
        before
            .iter()
            .zip(&after)
            .all(|(before, after)| before <= after)
    );
    // Who says nothing goes by chance.
    let random = [0, u64::MAX].map(|random| chosen(&split, &HeaderMap::new(), random).side);
    assert_eq!(random, [0, 1]);
}

#[test]
fn addresses_keep_calls_together() {
    let split = Split::new(Plan {
        sticky: Some(Sticky::Address),
        sides: vec![("app".into(), 1), ("canary".into(), 1)],
        ..plan()
    });
    let of = |last: u8| {
        let client = || IpAddr::V4(Ipv4Addr::new(10, 0, 0, last));
        split
            .choose(&HeaderMap::new(), client, || panic!("no chance is needed"))
            .side
    };
    let all: Vec<usize> = (0..=255).map(of).collect();
    assert_eq!(all, (0..=255).map(of).collect::<Vec<_>>());
    let share: usize = all.iter().sum();
    assert!((90..=166).contains(&share), "{share}");
}

fn calls(split: &Split, side: usize, count: usize, took_ms: u64, failed: bool) {
    let took = Duration::from_millis(took_ms);
    (0..count).for_each(|_| split.count(side, Some(took), failed));
}

#[test]
fn a_side_that_fails_is_taken_back() {
    let split = Split::new(guarded());
    let start = instant();
    assert_eq!(split.tick(start), None);
    calls(&split, 0, 900, 1, false);
    calls(&split, 1, 45, 1, false);
    calls(&split, 1, 4, 1, true);
    assert_eq!(
        split.tick(start + Duration::from_secs(1)),
        None,
        "too few calls"
    );
    calls(&split, 1, 1, 1, true);
    let event = split.tick(start + Duration::from_secs(2));
    let why = "5 of its 50 calls failed, 10.0 %, and 0.0 % of the others".to_owned();
    assert_eq!(event, Some(Event::RolledBack { why: why.clone() }));
    assert_eq!(
        (split.phase(), split.rollbacks()),
        (Phase::RolledBack(why), 1)
    );
    assert_eq!(share_of_canary(&split, 1000), 0);
    // It stays so until somebody says otherwise, and what was is forgotten then.
    calls(&split, 1, 100, 1, true);
    assert_eq!(split.tick(start + Duration::from_secs(3)), None);
    split
        .set(&[("app".to_owned(), 90), ("canary".to_owned(), 10)])
        .unwrap();
    assert_eq!(split.tick(start + Duration::from_secs(4)), None);
    calls(&split, 1, 100, 1, false);
    assert_eq!(split.tick(start + Duration::from_secs(5)), None);
}

/// What fails everywhere is not the fault of the new side, and what is old says nothing.
#[test]
fn a_side_is_judged_against_the_others_and_by_what_is_new() {
    let split = Split::new(guarded());
    let start = instant();
    split.tick(start);
    calls(&split, 0, 100, 1, true);
    calls(&split, 1, 100, 1, true);
    assert_eq!(split.tick(start + Duration::from_secs(1)), None);
    let split = Split::new(guarded());
    split.tick(start);
    calls(&split, 1, 40, 1, true);
    for second in 1..30 {
        assert_eq!(split.tick(start + Duration::from_secs(second)), None);
    }
    calls(&split, 1, 60, 1, false);
    assert_eq!(split.tick(start + Duration::from_secs(30)), None);
}

#[test]
fn a_side_that_is_slow_is_taken_back() {
    for (took_ms, expected) in [(10, false), (14, false), (50, true)] {
        let split = Split::new(guarded());
        let start = instant();
        split.tick(start);
        calls(&split, 0, 500, 10, false);
        calls(&split, 1, 100, took_ms, false);
        let event = split.tick(start + Duration::from_secs(1));
        assert_eq!(event.is_some(), expected, "{took_ms} ms: {event:?}");
    }
}

#[test]
fn a_share_grows_by_steps_when_it_has_shown_itself() {
    let split = Split::new(Plan {
        ramp: Some(Ramp {
            steps: vec![1, 25, 100],
            hold: Duration::from_secs(5),
        }),
        ..guarded()
    });
    let start = instant();
    let at = |seconds| start + Duration::from_secs(seconds);
    let share = || split.sides()[1].share;
    assert!((share() - 0.01).abs() < 1e-9);
    assert_eq!(split.tick(at(0)), None);
    assert_eq!(split.tick(at(60)), None, "it has shown nothing yet");
    calls(&split, 1, 50, 1, false);
    assert_eq!(split.tick(at(61)), Some(Event::Step { percent: 25 }));
    assert_eq!((split.phase(), share()), (Phase::Ramp(25), 0.25));
    calls(&split, 1, 50, 1, false);
    assert_eq!(split.tick(at(64)), None, "each step is held");
    assert_eq!(split.tick(at(66)), Some(Event::Step { percent: 100 }));
    calls(&split, 1, 50, 1, false);
    assert_eq!(split.tick(at(71)), None);
    assert_eq!((split.phase(), share()), (Phase::Grown, 1.0));
    // The guard stays.
    calls(&split, 1, 50, 1, true);
    assert!(matches!(split.tick(at(72)), Some(Event::RolledBack { .. })));
    assert!(share() < 1e-9);
}

/// A configuration that says the same goes on with what there is; another one begins anew.
#[test]
fn a_plan_that_stays_keeps_its_weights() {
    let splits = Splits::default();
    let first = splits.of(plan());
    first
        .set(&[("app".to_owned(), 1), ("canary".to_owned(), 0)])
        .unwrap();
    assert!(Arc::ptr_eq(&first, &splits.of(plan())));
    assert_eq!(format!("{first:?}"), format!("{:?}", Split::new(plan())));
    let other = splits.of(guarded());
    assert!(!Arc::ptr_eq(&first, &other));
    assert_eq!(other.sides()[1].weight, 10);
}
