//! A running conversation keeps its version: many conversations through a ramp, each request decided.
//!
//! Random numbers come from fixed seeds and the ramp from a table, so the expected results can be computed without the
//! filter's code.

#![expect(clippy::arithmetic_side_effects, reason = "an overflow fails the test")]

use llm_canary::bucket::{PARTS, bucket};
use llm_canary::config::Config;
use llm_canary::pointer::Fact;
use llm_canary::route::{self, Decision, Reason, Request};
use llm_canary::timestamp::{UnixMs, rfc3339};
use std::borrow::Cow;

const HOUR_MS: UnixMs = 60 * 60 * 1000;
const DAY_MS: UnixMs = 24 * HOUR_MS;
/// When the first step takes effect. Each later step takes effect an hour after the one before.
const RAMP: UnixMs = 1_800_000_000_000;
const RAMP_PERCENT: [u32; 6] = [1, 5, 25, 50, 25, 100];
const RAMP_MS: UnixMs = HOUR_MS * RAMP_PERCENT.len() as UnixMs;
const PARTS_PER_PERCENT: u32 = PARTS / 100;

const CONVERSATIONS: usize = 100_000;
const TURNS: usize = 6;
/// Allowed difference between a share and its expectation, in standard deviations. The seeds are fixed, so the result does
/// not change from run to run.
const SIGMAS_MAX: f64 = 4.0;

/// SplitMix64 (Sebastiano Vigna, public domain).
struct Random(u64);

impl Random {
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

/// The ids of conversations.
#[derive(Clone, Copy, Debug)]
enum Ids {
    Uuid7,
    Ulid,
    TypeId,
    /// Ids without a time. The request has the start time in a header, in milliseconds or as RFC 3339.
    StartedAt,
    /// Ids without a time, and no start time.
    Plain,
}

/// What a client sends in every turn of a conversation.
struct Conversation {
    started_at: UnixMs,
    id: Vec<u8>,
    started_at_header: Option<Vec<u8>>,
}

impl Conversation {
    fn new(ids: Ids, started_at: UnixMs, random: &mut Random) -> Conversation {
        let bits = u128::from(random.next()) << 64 | u128::from(random.next());
        let time = u128::from(started_at) << 80;
        let ulid = time | bits >> 48;
        let uuid7 = ulid & !(0xf << 76 | 0b11 << 62) | 7 << 76 | 0b10 << 62;
        let id = match ids {
            Ids::Uuid7 => {
                let hex = format!("{uuid7:032x}");
                format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
            }
            Ids::Ulid => base32(ulid).to_uppercase(),
            Ids::TypeId => format!("conv_{}", base32(uuid7)),
            Ids::StartedAt | Ids::Plain => format!("conversation {bits:x}"),
        };
        let is_rfc3339 = bits & 1 == 0;
        let header = || if is_rfc3339 { rfc3339(started_at) } else { started_at.to_string() };
        let started_at_header = matches!(ids, Ids::StartedAt).then(|| header().into_bytes());
        Conversation { started_at, id: id.into_bytes(), started_at_header }
    }
}

/// 26 digits of Crockford's base 32.
fn base32(value: u128) -> String {
    let digit = |at: u32| char::from(b"0123456789abcdefghjkmnpqrstvwxyz"[(value >> (5 * at) & 31) as usize]);
    (0..26).rev().map(digit).collect()
}

impl Request for Conversation {
    fn header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        match name {
            "x-conversation-id" => Some(Cow::Borrowed(&self.id)),
            "x-conversation-started-at" => self.started_at_header.as_deref().map(Cow::Borrowed),
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

/// The canary's share at a time, by the table.
fn share(time: UnixMs) -> u32 {
    let step = time.checked_sub(RAMP).map(|since| (since / HOUR_MS) as usize);
    step.map_or(0, |step| RAMP_PERCENT[step.min(RAMP_PERCENT.len() - 1)] * PARTS_PER_PERCENT)
}

fn decide(config: &Config, conversation: &Conversation, now: UnixMs) -> Decision {
    let no_random = || unreachable!("there is a key");
    route::decide(config, conversation, now, no_random).unwrap().unwrap()
}

/// The times of a conversation's turns: the first at its beginning, the others within some hours.
fn turns(started_at: UnixMs, random: &mut Random) -> [UnixMs; TURNS] {
    let mut turns = [started_at; TURNS];
    for turn in &mut turns[1..] {
        *turn += random.below(RAMP_MS);
    }
    turns.sort_unstable();
    turns
}

/// Conversations that begin from an hour before the ramp until two hours after its last step.
fn conversations(ids: Ids, count: usize, seed: u64) -> impl Iterator<Item = (Conversation, [UnixMs; TURNS])> {
    let mut random = Random(seed);
    (0..count).map(move |_| {
        let started_at = RAMP - HOUR_MS + random.below(RAMP_MS + 2 * HOUR_MS);
        (Conversation::new(ids, started_at, &mut random), turns(started_at, &mut random))
    })
}

/// Checks that the number of hits agrees with the share.
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
        // For each share: the conversations that began under it, and those of them on the canary.
        let mut counts: Vec<(u32, usize, usize)> = Vec::new();
        for (conversation, turns) in conversations(ids, CONVERSATIONS, 1) {
            let first = decide(&config, &conversation, turns[0]);
            for now in turns {
                let decision = decide(&config, &conversation, now);
                let is_current = share(now) == share(conversation.started_at)
                    && now - conversation.started_at < HOUR_MS
                    || now >= RAMP + RAMP_MS - HOUR_MS && conversation.started_at >= RAMP + RAMP_MS - HOUR_MS
                    || now < RAMP;
                assert_eq!(
                    decision.version, first.version,
                    "{ids:?}, {now} after {}",
                    conversation.started_at
                );
                assert_eq!(
                    (decision.reason, decision.compare, decision.is_unheld),
                    (Reason::Started, is_current, false),
                    "{ids:?}, {now} after {}",
                    conversation.started_at
                );
            }
            // The ramp has 25 % twice; both are counted together.
            let share = share(conversation.started_at);
            let at = counts.iter().position(|(other, ..)| *other == share).unwrap_or_else(|| {
                counts.push((share, 0, 0));
                counts.len() - 1
            });
            counts[at].1 += 1;
            counts[at].2 += first.version;
        }
        assert_eq!(counts.len(), 6, "0 %, and five shares of the ramp");
        for (share, all, canary) in counts {
            assert!(all > 10_000, "{all}");
            assert_share(canary, all, share, &format!("{ids:?}"));
        }
    }
}

#[test]
fn a_start_time_ahead_of_now_counts_up_to_a_minute() {
    let (config, now) = (ramp(), RAMP + 3 * HOUR_MS - 30_000); // 25 %, and 50 % in half a minute
    let mut random = Random(2);
    for (started_at, is_known, percent) in
        [(now, true, 25), (now + 60_000, true, 50), (now + 60_001, false, 25)]
    {
        let mut canary = 0;
        for ids in [Ids::Uuid7, Ids::Ulid, Ids::TypeId, Ids::StartedAt] {
            for _ in 0..1000 {
                let conversation = Conversation::new(ids, started_at, &mut random);
                let is_canary = bucket(b"chat", &conversation.id) < percent * PARTS_PER_PERCENT;
                let decision = decide(&config, &conversation, now);
                assert_eq!(decision.version, usize::from(is_canary), "{ids:?}, {started_at}");
                assert_eq!(decision.reason, if is_known { Reason::Started } else { Reason::Split });
                canary += decision.version;
            }
        }
        assert_share(canary, 4000, percent * PARTS_PER_PERCENT, "ahead");
    }
}

#[test]
fn ids_without_a_time_move_with_a_step_and_each_is_counted() {
    let config = ramp();
    let mut moves = 0;
    let mut uncounted = 0;
    for (conversation, turns) in conversations(Ids::Plain, CONVERSATIONS, 3) {
        let bucket = bucket(b"chat", &conversation.id);
        let mut before: Option<(UnixMs, usize)> = None;
        for now in turns {
            let decision = decide(&config, &conversation, now);
            assert_eq!(decision.version, usize::from(bucket < share(now)));
            assert_eq!((decision.reason, decision.compare), (Reason::Split, true));
            // Steps of the last day that changed the version of its bucket.
            let step = |step: usize| RAMP + HOUR_MS * step as UnixMs;
            let is_unheld = (0..RAMP_PERCENT.len()).any(|at| {
                let (is_canary, was_canary) = (bucket < share(step(at)), bucket < share(step(at) - 1));
                is_canary != was_canary && step(at) <= now && step(at) + DAY_MS > now
            });
            assert_eq!(decision.is_unheld, is_unheld, "bucket {bucket} at {now}");
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
fn conversations_do_not_count_as_unheld_a_day_after_the_last_step() {
    let (config, mut random) = (ramp(), Random(4));
    let last = RAMP + RAMP_MS - HOUR_MS;
    for (now, is_any) in [(last + DAY_MS - 1, true), (last + DAY_MS, false), (RAMP - 1, false), (RAMP, true)]
    {
        let unheld = (0..1000)
            .filter(|_| decide(&config, &Conversation::new(Ids::Plain, RAMP, &mut random), now).is_unheld);
        assert_eq!(unheld.count() > 0, is_any, "{now}");
    }
}

#[test]
fn each_step_moves_the_difference_of_shares_in_buckets_and_in_keys() {
    let config = ramp();
    let steps = &config.rollouts[0].steps;
    let keys: Vec<u32> = (0..CONVERSATIONS).map(|n| bucket(b"chat", format!("key {n}").as_bytes())).collect();
    for (at, percents) in [0].iter().chain(&RAMP_PERCENT).zip(RAMP_PERCENT).enumerate() {
        let (old, new) = (steps.split(at), steps.split(at + 1));
        let has_moved = |bucket: &u32| old.version(*bucket) != new.version(*bucket);
        let difference = percents.0.abs_diff(percents.1) * PARTS_PER_PERCENT;
        assert_eq!((0..PARTS).filter(has_moved).count(), difference as usize, "step {at}");
        let moved = keys.iter().filter(|bucket| has_moved(bucket)).count();
        assert_share(moved, keys.len(), difference, &format!("step {at}"));
    }
}

#[test]
fn the_time_in_a_users_id_does_not_count() {
    let mut config = ramp();
    let mut random = Random(5);
    config.rollouts[0].keys[0].kind = llm_canary::config::KeyKind::User;
    let years = 3 * 365 * DAY_MS;
    for step in 0..RAMP_PERCENT.len() {
        let now = RAMP + HOUR_MS * step as UnixMs + 1;
        let users = 20_000;
        let canary: usize = (0..users)
            .map(|_| Conversation::new(Ids::Uuid7, now - random.below(years), &mut random))
            .map(|user| decide(&config, &user, now))
            .inspect(|decision| assert_eq!((decision.reason, decision.compare), (Reason::Split, true)))
            .map(|decision| decision.version)
            .sum();
        assert_share(canary, users, share(now), "users of years ago");
    }
}

/// If one version's share changes, exactly the difference moves between it and the baseline, whatever the other shares are.
#[test]
fn a_change_of_one_share_moves_only_its_difference_of_a_million_keys() {
    const KEYS: u32 = 1_000_000;
    // How many keys have a lower bucket, for each bucket.
    let mut keys_before = vec![0_u32; PARTS as usize + 1];
    for key in 0..KEYS {
        keys_before[bucket(b"chat", format!("key {key}").as_bytes()) as usize + 1] += 1;
    }
    (1..keys_before.len()).for_each(|at| keys_before[at] += keys_before[at - 1]);
    let keys_in = |start: u32, end: u32| keys_before[end as usize] - keys_before[start as usize];

    let mut random = Random(6);
    for versions in 2..=8 {
        let mut shares = vec![0; versions - 1];
        let mut steps = Vec::new();
        let mut changed = Vec::new();
        for step in 0..100 {
            let at = random.below(versions as u64 - 1) as usize;
            let others: u32 = shares.iter().sum::<u32>() - shares[at];
            // Sometimes a special share, otherwise any.
            let wanted = match random.below(4) {
                0 => [0, 1, 1_000, 10_000, 500_000, PARTS][random.below(6) as usize],
                _ => random.below(u64::from(PARTS)) as u32 / versions as u32,
            };
            shares[at] = wanted.min(PARTS - others);
            changed.push(at + 1);
            steps.push((RAMP + step, shares.clone()));
        }
        let config = config(versions, &steps, "");
        let line = &config.rollouts[0].steps;
        for (step, (changed, (_, shares))) in changed.into_iter().zip(&steps).enumerate() {
            let (old, new) = (line.split(step), line.split(step + 1));
            let mut cuts: Vec<u32> =
                [old, new].iter().flat_map(|split| split.ranges()).map(|range| range.start).collect();
            cuts.push(PARTS);
            cuts.sort_unstable();
            let (mut lost_parts, mut gained_parts, mut owned_parts, mut owned_keys) = (0, 0, 0, 0);
            for cut in cuts.windows(2) {
                let (parts, keys) = (cut[1] - cut[0], keys_in(cut[0], cut[1]));
                let (before, after) = (old.version(cut[0]), new.version(cut[0]));
                if before != after && parts > 0 {
                    assert!(
                        (before, after) == (changed, 0) || (before, after) == (0, changed),
                        "{versions} versions, step {step}: {parts} parts moved from {before} to {after}"
                    );
                    if before == changed { lost_parts += parts } else { gained_parts += parts }
                }
                if after == changed {
                    owned_parts += parts;
                    owned_keys += keys;
                }
            }
            let (now, then) = (shares[changed - 1], old.parts(changed));
            assert_eq!((lost_parts, gained_parts), (then.saturating_sub(now), now.saturating_sub(then)));
            assert_eq!(owned_parts, now, "the share is exact to the part");
            assert_share(
                owned_keys as usize,
                KEYS as usize,
                now,
                &format!("{versions} versions, step {step}"),
            );
        }
    }

    // The share of the keys that a first canary gets.
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
    // A split is equal to a step of the past.
    let (split, step) = (
        rollout(r#""split": {"v3": 3, "v2": 30}"#),
        rollout(r#""steps": [{"at": "2026-11-23T09:00:00Z", "percent": {"v2": 30, "v3": 3}}]"#),
    );
    assert_eq!(split.at(RAMP), step.at(RAMP));
}

/// The mean of a sample of groups: of conversations with several turns each.
#[derive(Default)]
struct Mean {
    sum: f64,
    count: f64,
    /// Sums and counts of the groups, for the variance of the mean.
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

    /// The variance of the mean, as a ratio of two sums over independent groups.
    fn variance(&self) -> f64 {
        let mean = self.mean();
        let squares: f64 = self.groups.iter().map(|(sum, count)| (sum - mean * count).powi(2)).sum();
        squares / self.count.powi(2)
    }
}

/// The difference of two means, in standard deviations.
fn z(a: &Mean, b: &Mean) -> f64 {
    (a.mean() - b.mean()) / (a.variance() + b.variance()).sqrt()
}

/// The lengths of answers for each step and version, over all requests and over the compared ones. The versions are
/// identical, and answers grow longer with a conversation's age. Conversations last some hours and begin at any time.
fn lengths(steps: &[(UnixMs, Vec<u32>)], end: UnixMs, seed: u64) -> Vec<[[Mean; 2]; 2]> {
    let config = config(2, steps, r#""key": [{"header": "x-conversation-id"}],"#);
    let (mut random, begin) = (Random(seed), steps[0].0);
    let mut means: Vec<[[Mean; 2]; 2]> = steps.iter().map(|_| Default::default()).collect();
    for _ in 0..CONVERSATIONS / 2 {
        let started_at = begin - 3 * HOUR_MS + random.below(end - begin + 3 * HOUR_MS);
        let conversation = Conversation::new(Ids::Uuid7, started_at, &mut random);
        let mut turns = [started_at; TURNS];
        turns[1..].iter_mut().for_each(|turn| *turn += random.below(3 * HOUR_MS));
        // One conversation's requests under a step have the same version and similar lengths, so they are one group.
        let mut sums = vec![[(0.0, 0.0); 2]; steps.len()];
        let mut version = 0;
        for now in turns.into_iter().filter(|now| (begin..end).contains(now)) {
            let decision = decide(&config, &conversation, now);
            let step = steps.iter().rposition(|(at, _)| *at <= now).unwrap();
            let chars = 200.0 + 60.0 * (now - started_at) as f64 / HOUR_MS as f64 + 100.0 * random.fraction();
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

/// During a ramp the canary has the younger conversations, so over all requests its answers seem shorter. Over compared
/// requests they are not.
#[test]
fn only_compared_requests_show_no_difference_of_identical_versions() {
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
    assert!(z_all < -10.0, "all requests must show the bias: {z_all}");
    assert!(z_compared.abs() < 3.0, "compared requests must not show it: {z_compared}");
}

/// The longer a step lasts, the older are its conversations. If steps last differently long, the versions' shares weight the
/// steps differently. So versions may be compared only within a step.
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
    assert!(z < -10.0, "steps together must show the bias: {z}");
}
