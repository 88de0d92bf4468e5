//! A running conversation stays where it began: populations of conversations through a ramp, decided one by one.
//!
//! Everything is drawn from fixed seeds, and the ramp itself from a table, so that what is expected can be worked
//! out by other means than the filter's own.

#![expect(clippy::arithmetic_side_effects, reason = "an overflow fails the test")]

use llm_canary::bucket::{PARTS, bucket};
use llm_canary::config::Config;
use llm_canary::pointer::Fact;
use llm_canary::route::{self, Decision, Reason, Request};
use llm_canary::timestamp::{UnixMs, rfc3339};

const HOUR_MS: UnixMs = 60 * 60 * 1000;
const DAY_MS: UnixMs = 24 * HOUR_MS;
/// When the first step takes effect; each further one takes effect an hour after the one before.
const RAMP: UnixMs = 1_800_000_000_000;
const RAMP_PERCENT: [u32; 6] = [1, 5, 25, 50, 25, 100];
const RAMP_MS: UnixMs = HOUR_MS * RAMP_PERCENT.len() as UnixMs;
const PARTS_PER_PERCENT: u32 = PARTS / 100;

const CONVERSATIONS: usize = 100_000;
const TURNS: usize = 6;
/// What chance may add to a share, in standard deviations. The seeds are fixed: it is no matter of luck.
const SIGMAS_MAX: f64 = 4.0;

/// SplitMix64 (Sebastiano Vigna, public domain).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Between 0 and 1.
    fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// How a conversation is named.
#[derive(Clone, Copy, Debug)]
enum Ids {
    Uuid7,
    Ulid,
    TypeId,
    /// No time in it; the request says when the conversation began, in milliseconds or in words.
    StartedAt,
    /// Nor there.
    Plain,
}

/// What a client sends on every turn of a conversation.
struct Conversation {
    began: UnixMs,
    id: Vec<u8>,
    started_at: Option<Vec<u8>>,
}

impl Conversation {
    fn new(ids: Ids, began: UnixMs, dice: &mut Dice) -> Conversation {
        let random = u128::from(dice.next()) << 64 | u128::from(dice.next());
        let time = u128::from(began) << 80;
        let ulid = time | random >> 48;
        let uuid7 = ulid & !(0xf << 76 | 0b11 << 62) | 7 << 76 | 0b10 << 62;
        let id = match ids {
            Ids::Uuid7 => {
                let hex = format!("{uuid7:032x}");
                format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
            }
            Ids::Ulid => base32(ulid).to_uppercase(),
            Ids::TypeId => format!("conv_{}", base32(uuid7)),
            Ids::StartedAt | Ids::Plain => format!("conversation {random:x}"),
        };
        let in_words = random & 1 == 0;
        let started_at = || if in_words { rfc3339(began) } else { began.to_string() };
        let started_at = matches!(ids, Ids::StartedAt).then(|| started_at().into_bytes());
        Conversation { began, id: id.into_bytes(), started_at }
    }
}

/// 26 digits of Crockford's base 32.
fn base32(value: u128) -> String {
    let digit = |at: u32| char::from(b"0123456789abcdefghjkmnpqrstvwxyz"[(value >> (5 * at) & 31) as usize]);
    (0..26).rev().map(digit).collect()
}

impl Request for Conversation {
    fn header(&self, name: &str) -> Option<&[u8]> {
        match name {
            "x-conversation-id" => Some(&self.id),
            "x-conversation-started-at" => self.started_at.as_deref(),
            _ => None,
        }
    }
    fn metadata(&self, _: &[String]) -> Option<Vec<u8>> {
        None
    }
    fn body(&self, _: usize) -> Fact<'_> {
        Fact::Absent
    }
    fn fingerprint(&self) -> Fact<'_> {
        Fact::Absent
    }
}

/// Version `v1` is the baseline and 0, `v2` is 1, and so on.
fn config(versions: usize, steps: &[(UnixMs, Vec<u32>)], fields: &str) -> Config {
    let versions = (1..=versions).map(|n| format!(r#"{{"name": "v{n}", "cluster": "c{n}"}}"#));
    let percent = |parts: &[u32]| -> String {
        let share = |(at, parts): (usize, &u32)| {
            let percent = f64::from(*parts) / f64::from(PARTS_PER_PERCENT);
            format!(r#""v{}": {percent}"#, at + 2)
        };
        parts.iter().enumerate().map(share).collect::<Vec<_>>().join(", ")
    };
    let step = |(at, parts): &(UnixMs, Vec<u32>)| {
        format!(r#"{{"at": "{}", "percent": {{{}}}}}"#, rfc3339(*at), percent(parts))
    };
    let text = format!(
        r#"{{"rollouts": [{{"name": "chat", "baseline": "v1", {fields}
            "started_at": {{"header": "x-conversation-started-at"}},
            "versions": [{}], "steps": [{}]}}]}}"#,
        versions.collect::<Vec<_>>().join(", "),
        steps.iter().map(step).collect::<Vec<_>>().join(", ")
    );
    Config::parse(text.as_bytes()).unwrap()
}

fn ramp() -> Config {
    let at = |step| RAMP + HOUR_MS * step as UnixMs;
    let step = |(step, percent): (usize, &u32)| (at(step), vec![percent * PARTS_PER_PERCENT]);
    let steps: Vec<_> = RAMP_PERCENT.iter().enumerate().map(step).collect();
    config(2, &steps, r#""key": [{"header": "x-conversation-id"}],"#)
}

/// The canary's share at a moment, by the table alone.
fn share(moment: UnixMs) -> u32 {
    let step = moment.checked_sub(RAMP).map(|since| (since / HOUR_MS) as usize);
    step.map_or(0, |step| RAMP_PERCENT[step.min(RAMP_PERCENT.len() - 1)] * PARTS_PER_PERCENT)
}

fn decide(config: &Config, conversation: &Conversation, now: UnixMs) -> Decision {
    let no_random = || unreachable!("there is a key");
    route::decide(config, conversation, now, no_random).unwrap().unwrap()
}

/// The moments of a conversation's turns: the first at its beginning, and then within some hours.
fn turns(began: UnixMs, dice: &mut Dice) -> [UnixMs; TURNS] {
    let mut turns = [began; TURNS];
    for turn in &mut turns[1..] {
        *turn += dice.below(RAMP_MS);
    }
    turns.sort_unstable();
    turns
}

/// Conversations that begin from an hour before the ramp until two hours after its last step.
fn conversations(ids: Ids, count: usize, seed: u64) -> impl Iterator<Item = (Conversation, [UnixMs; TURNS])> {
    let mut dice = Dice(seed);
    (0..count).map(move |_| {
        let began = RAMP - HOUR_MS + dice.below(RAMP_MS + 2 * HOUR_MS);
        (Conversation::new(ids, began, &mut dice), turns(began, &mut dice))
    })
}

/// Whether of so many draws about this share hit.
fn assert_share(hits: usize, draws: usize, parts: u32, what: &str) {
    let share = f64::from(parts) / f64::from(PARTS);
    let (hits, draws) = (hits as f64, draws as f64);
    let deviation = (share * (1.0 - share) * draws).sqrt();
    assert!((hits - share * draws).abs() <= SIGMAS_MAX * deviation, "{what}: {hits} of {draws} at {share}");
}

#[test]
fn a_conversation_with_a_start_time_never_changes_its_version() {
    let config = ramp();
    for ids in [Ids::Uuid7, Ids::Ulid, Ids::TypeId, Ids::StartedAt] {
        // Of the conversations that began under each share: all, and those on the canary.
        let mut begun: Vec<(u32, usize, usize)> = Vec::new();
        for (conversation, turns) in conversations(ids, CONVERSATIONS, 1) {
            let first = decide(&config, &conversation, turns[0]);
            for now in turns {
                let decision = decide(&config, &conversation, now);
                let is_current = share(now) == share(conversation.began)
                    && now - conversation.began < HOUR_MS
                    || now >= RAMP + RAMP_MS - HOUR_MS && conversation.began >= RAMP + RAMP_MS - HOUR_MS
                    || now < RAMP;
                assert_eq!(decision.version, first.version, "{ids:?}, {now} after {}", conversation.began);
                assert_eq!(
                    (decision.reason, decision.compare, decision.is_unheld),
                    (Reason::Started, is_current, false),
                    "{ids:?}, {now} after {}",
                    conversation.began
                );
            }
            // 25 % comes twice, and is counted together.
            let share = share(conversation.began);
            let at = begun.iter().position(|(other, ..)| *other == share).unwrap_or_else(|| {
                begun.push((share, 0, 0));
                begun.len() - 1
            });
            begun[at].1 += 1;
            begun[at].2 += first.version;
        }
        assert_eq!(begun.len(), 6, "0 %, and five of the ramp's");
        for (share, all, canary) in begun {
            assert!(all > 10_000, "{all}");
            assert_share(canary, all, share, &format!("{ids:?}"));
        }
    }
}

#[test]
fn a_start_time_ahead_of_now_counts_up_to_a_minute() {
    let (config, now) = (ramp(), RAMP + 3 * HOUR_MS - 30_000); // 25 %, and 50 % in half a minute
    let mut dice = Dice(2);
    for (began, is_known, percent) in [(now, true, 25), (now + 60_000, true, 50), (now + 60_001, false, 25)] {
        let mut canary = 0;
        for ids in [Ids::Uuid7, Ids::Ulid, Ids::TypeId, Ids::StartedAt] {
            for _ in 0..1000 {
                let conversation = Conversation::new(ids, began, &mut dice);
                let is_canary = bucket(b"chat", &conversation.id) < percent * PARTS_PER_PERCENT;
                let decision = decide(&config, &conversation, now);
                assert_eq!(decision.version, usize::from(is_canary), "{ids:?}, {began}");
                assert_eq!(decision.reason, if is_known { Reason::Started } else { Reason::Split });
                canary += decision.version;
            }
        }
        assert_share(canary, 4000, percent * PARTS_PER_PERCENT, "ahead");
    }
}

#[test]
fn of_ids_without_a_time_only_the_step_moves_and_each_is_counted() {
    let config = ramp();
    let mut moves = 0;
    let mut uncounted = 0;
    for (conversation, turns) in conversations(Ids::Plain, CONVERSATIONS, 3) {
        let place = bucket(b"chat", &conversation.id);
        let mut before: Option<(UnixMs, usize)> = None;
        for now in turns {
            let decision = decide(&config, &conversation, now);
            assert_eq!(decision.version, usize::from(place < share(now)));
            assert_eq!((decision.reason, decision.compare), (Reason::Split, true));
            // The steps that may have moved it: those that changed its owner within a day.
            let step = |step: usize| RAMP + HOUR_MS * step as UnixMs;
            let is_unheld = (0..RAMP_PERCENT.len()).any(|at| {
                let (is_owned, was_owned) = (place < share(step(at)), place < share(step(at) - 1));
                is_owned != was_owned && step(at) <= now && step(at) + DAY_MS > now
            });
            assert_eq!(decision.is_unheld, is_unheld, "bucket {place} at {now}");
            if before.is_some_and(|(_, version)| version != decision.version) {
                moves += 1;
                uncounted += usize::from(!decision.is_unheld);
            }
            before = Some((now, decision.version));
        }
    }
    assert!(moves > CONVERSATIONS / 2, "{moves}");
    assert_eq!(uncounted, 0, "of {moves} moves");
}

#[test]
fn a_step_of_long_ago_moves_nobody_who_is_counted() {
    let (config, mut dice) = (ramp(), Dice(4));
    let last = RAMP + RAMP_MS - HOUR_MS;
    for (now, is_any) in [(last + DAY_MS - 1, true), (last + DAY_MS, false), (RAMP - 1, false), (RAMP, true)]
    {
        let unheld = (0..1000)
            .filter(|_| decide(&config, &Conversation::new(Ids::Plain, RAMP, &mut dice), now).is_unheld);
        assert_eq!(unheld.count() > 0, is_any, "{now}");
    }
}

#[test]
fn each_step_moves_its_difference_of_the_line_and_of_the_keys() {
    let config = ramp();
    let steps = &config.rollouts[0].steps;
    let keys: Vec<u32> = (0..CONVERSATIONS).map(|n| bucket(b"chat", format!("key {n}").as_bytes())).collect();
    for (at, percents) in [0].iter().chain(&RAMP_PERCENT).zip(RAMP_PERCENT).enumerate() {
        let (old, new) = (steps.split(at), steps.split(at + 1));
        let has_moved = |place: &u32| old.version(*place) != new.version(*place);
        let difference = percents.0.abs_diff(percents.1) * PARTS_PER_PERCENT;
        assert_eq!((0..PARTS).filter(has_moved).count(), difference as usize, "step {at}");
        let moved = keys.iter().filter(|place| has_moved(place)).count();
        assert_share(moved, keys.len(), difference, &format!("step {at}"));
    }
}

#[test]
fn a_users_id_tells_no_time() {
    let mut config = ramp();
    let mut dice = Dice(5);
    config.rollouts[0].keys[0].kind = llm_canary::config::KeyKind::User;
    let years = 3 * 365 * DAY_MS;
    for step in 0..RAMP_PERCENT.len() {
        let now = RAMP + HOUR_MS * step as UnixMs + 1;
        let users = 20_000;
        let canary: usize = (0..users)
            .map(|_| Conversation::new(Ids::Uuid7, now - dice.below(years), &mut dice))
            .map(|user| decide(&config, &user, now))
            .inspect(|decision| assert_eq!((decision.reason, decision.compare), (Reason::Split, true)))
            .map(|decision| decision.version)
            .sum();
        assert_share(canary, users, share(now), "users of years ago");
    }
}

/// Whatever changes hands belongs to the version whose share changed or is taken by it, to the part; whatever
/// percentages were there before, and for any number of versions.
#[test]
fn one_versions_share_moves_only_its_own_of_a_million_keys() {
    const KEYS: u32 = 1_000_000;
    // How many keys lie before each place on the line.
    let mut keys_before = vec![0_u32; PARTS as usize + 1];
    for key in 0..KEYS {
        keys_before[bucket(b"chat", format!("key {key}").as_bytes()) as usize + 1] += 1;
    }
    (1..keys_before.len()).for_each(|at| keys_before[at] += keys_before[at - 1]);
    let keys_in = |start: u32, end: u32| keys_before[end as usize] - keys_before[start as usize];

    let mut dice = Dice(6);
    for versions in 2..=8 {
        let mut shares = vec![0; versions - 1];
        let mut steps = Vec::new();
        let mut changed = Vec::new();
        for step in 0..100 {
            let at = dice.below(versions as u64 - 1) as usize;
            let others: u32 = shares.iter().sum::<u32>() - shares[at];
            // Now and then a share to think of, for the rest any.
            let wanted = match dice.below(4) {
                0 => [0, 1, 1_000, 10_000, 500_000, PARTS][dice.below(6) as usize],
                _ => dice.below(u64::from(PARTS)) as u32 / versions as u32,
            };
            shares[at] = wanted.min(PARTS - others);
            changed.push(at + 1);
            steps.push((RAMP + step, shares.clone()));
        }
        let config = config(versions, &steps, "");
        let line = &config.rollouts[0].steps;
        for (taken, (changed, (_, shares))) in changed.into_iter().zip(&steps).enumerate() {
            let (old, new) = (line.split(taken), line.split(taken + 1));
            let mut cuts: Vec<u32> =
                [old, new].iter().flat_map(|split| split.ranges()).map(|range| range.start).collect();
            cuts.push(PARTS);
            cuts.sort_unstable();
            let (mut given, mut taken_parts, mut owned_parts, mut owned_keys) = (0, 0, 0, 0);
            for cut in cuts.windows(2) {
                let (parts, keys) = (cut[1] - cut[0], keys_in(cut[0], cut[1]));
                let (before, after) = (old.version(cut[0]), new.version(cut[0]));
                if before != after && parts > 0 {
                    assert!(
                        (before, after) == (changed, 0) || (before, after) == (0, changed),
                        "{versions} versions, step {taken}: {parts} parts went from {before} to {after}"
                    );
                    if before == changed { given += parts } else { taken_parts += parts }
                }
                if after == changed {
                    owned_parts += parts;
                    owned_keys += keys;
                }
            }
            let (now, then) = (shares[changed - 1], old.parts(changed));
            assert_eq!((given, taken_parts), (then.saturating_sub(now), now.saturating_sub(then)));
            assert_eq!(owned_parts, now, "the share is exact to the part");
            assert_share(
                owned_keys as usize,
                KEYS as usize,
                now,
                &format!("{versions} versions, step {taken}"),
            );
        }
    }

    // What a first canary gets of them.
    for (parts, points_max) in [(10_000, 0.05), (1_000, 0.05), (1_000, 0.02)] {
        let percent = |count: u32, of: u32| 100.0 * f64::from(count) / f64::from(of);
        let off = (percent(keys_in(0, parts), KEYS) - percent(parts, PARTS)).abs();
        assert!(off <= points_max, "{off} points off at {parts} parts per million");
    }
}

#[test]
fn equal_configurations_give_equal_splits() {
    let rollout = |fields: &str| {
        let text = format!(
            r#"{{"rollouts": [{{"name": "chat", "baseline": "v1", {fields}, "versions": [
                {{"name": "v1", "cluster": "a"}}, {{"name": "v2", "cluster": "b"}}, {{"name": "v3", "cluster": "c"}}]}}]}}"#
        );
        Config::parse(text.as_bytes()).unwrap().rollouts.remove(0).steps
    };
    let equal = [
        r#""steps": [{"at": "2026-11-23T09:00:00Z", "percent": {"v2": 1, "v3": 12.5}},
                     {"at": "2026-11-23T10:00:00Z", "percent": {"v2": 0.5, "v3": 20}}]"#,
        r#""steps":[{"percent":{"v3":1.25e1,"v2":1.0},"at":"2026-11-23T10:00:00.000+01:00"},
                    {"percent":{"v3":20,"v2":0.5000},"at":"2026-11-23T10:00:00z"}]"#,
    ];
    assert_eq!(rollout(equal[0]), rollout(equal[1]));
    assert_ne!(rollout(equal[0]), rollout(&equal[0].replace("12.5", "12.4999")));
    // A split is a step that has always held.
    let (split, step) = (
        rollout(r#""split": {"v3": 3, "v2": 30}"#),
        rollout(r#""steps": [{"at": "2026-11-23T09:00:00Z", "percent": {"v2": 30, "v3": 3}}]"#),
    );
    assert_eq!(split.at(RAMP), step.at(RAMP));
}

/// Means of a sample whose members come in groups: conversations of several turns.
#[derive(Default)]
struct Mean {
    sum: f64,
    count: f64,
    /// Sums and counts of the groups, for the spread of the mean.
    groups: Vec<(f64, f64)>,
}

impl Mean {
    fn add(&mut self, sum: f64, count: f64) {
        if count > 0.0 {
            self.sum += sum;
            self.count += count;
            self.groups.push((sum, count));
        }
    }

    fn mean(&self) -> f64 {
        self.sum / self.count
    }

    /// Its variance as the ratio of two sums over independent groups.
    fn variance(&self) -> f64 {
        let mean = self.mean();
        let squares: f64 = self.groups.iter().map(|(sum, count)| (sum - mean * count).powi(2)).sum();
        squares / self.count.powi(2)
    }
}

/// How far two means are apart, in standard deviations.
fn z(a: &Mean, b: &Mean) -> f64 {
    (a.mean() - b.mean()) / (a.variance() + b.variance()).sqrt()
}

/// The lengths of answers that grow longer with a conversation's age, on identical versions, for each step and version:
/// over all requests, and over those that may be compared. Conversations of some hours begin at any time.
fn lengths(steps: &[(UnixMs, Vec<u32>)], end: UnixMs, seed: u64) -> Vec<[[Mean; 2]; 2]> {
    let config = config(2, steps, r#""key": [{"header": "x-conversation-id"}],"#);
    let (mut dice, begin) = (Dice(seed), steps[0].0);
    let mut means: Vec<[[Mean; 2]; 2]> = steps.iter().map(|_| Default::default()).collect();
    for _ in 0..CONVERSATIONS / 2 {
        let began = begin - 3 * HOUR_MS + dice.below(end - begin + 3 * HOUR_MS);
        let conversation = Conversation::new(Ids::Uuid7, began, &mut dice);
        let mut turns = [began; TURNS];
        turns[1..].iter_mut().for_each(|turn| *turn += dice.below(3 * HOUR_MS));
        // One conversation's requests under each step, on one version: they are alike, and count as one draw.
        let mut sums = vec![[(0.0, 0.0); 2]; steps.len()];
        let mut version = 0;
        for now in turns.into_iter().filter(|now| (begin..end).contains(now)) {
            let decision = decide(&config, &conversation, now);
            let step = steps.iter().rposition(|(at, _)| *at <= now).unwrap();
            let chars = 200.0 + 60.0 * (now - began) as f64 / HOUR_MS as f64 + 100.0 * dice.fraction();
            version = decision.version;
            for (sum, counts) in sums[step].iter_mut().zip([true, decision.compare]) {
                if counts {
                    *sum = (sum.0 + chars, sum.1 + 1.0);
                }
            }
        }
        for (means, sums) in means.iter_mut().zip(sums) {
            for (means, (sum, count)) in means.iter_mut().zip(sums) {
                means[version].add(sum, count);
            }
        }
    }
    means
}

/// All steps together.
fn pooled(means: Vec<[[Mean; 2]; 2]>) -> [[Mean; 2]; 2] {
    let mut all: [[Mean; 2]; 2] = Default::default();
    for means in means {
        for (into, mean) in all.iter_mut().flatten().zip(means.into_iter().flatten()) {
            mean.groups.iter().for_each(|&(sum, count)| into.add(sum, count));
        }
    }
    all
}

/// During a ramp the canary has the younger conversations: over all requests it looks terse. What was drawn at the share
/// in force is alike on both.
#[test]
fn only_what_is_compared_can_be_compared() {
    let step =
        |(step, percent): (usize, &u32)| (RAMP + HOUR_MS * step as UnixMs, vec![percent * PARTS_PER_PERCENT]);
    let steps: Vec<_> = RAMP_PERCENT[..5].iter().enumerate().map(step).collect();
    let [all, compared] = pooled(lengths(&steps, RAMP + 5 * HOUR_MS, 7));
    let (z_all, z_compared) = (z(&all[1], &all[0]), z(&compared[1], &compared[0]));
    println!(
        "mean length over all requests: {:.1} on v1, {:.1} on v2 (z {z_all:.1}); over compared ones: {:.1}, {:.1} (z {z_compared:.1})",
        all[0].mean(),
        all[1].mean(),
        compared[0].mean(),
        compared[1].mean()
    );
    assert!(compared.iter().all(|mean| mean.count > 10_000.0));
    assert!(z_all < -10.0, "the bias is there: {z_all}");
    assert!(z_compared.abs() < 3.0, "and gone where versions are compared: {z_compared}");
}

/// Conversations that began under a step grow older as it lasts. Where steps last differently long, each version's
/// compared requests weigh them differently, by its shares: so what is compared are the requests of one step.
#[test]
fn steps_are_compared_one_by_one() {
    let steps = [(RAMP, vec![50_000]), (RAMP + 6 * HOUR_MS, vec![500_000])];
    let means = lengths(&steps, RAMP + 7 * HOUR_MS, 9);
    for (at, [_, compared]) in means.iter().enumerate() {
        let z = z(&compared[1], &compared[0]);
        println!("step {at}: {:.1} on v1, {:.1} on v2 (z {z:.1})", compared[0].mean(), compared[1].mean());
        assert!(compared.iter().all(|mean| mean.count > 2_000.0));
        assert!(z.abs() < 3.0, "step {at}: {z}");
    }
    let [_, compared] = pooled(means);
    let z = z(&compared[1], &compared[0]);
    println!("together: {:.1} on v1, {:.1} on v2 (z {z:.1})", compared[0].mean(), compared[1].mean());
    assert!(z < -10.0, "together they differ: {z}");
}
