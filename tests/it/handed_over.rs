//! Many counts wait in the VM, and are handed over to Envoy at a tick: none is lost, and none comes twice.

use crate::host::*;
use std::collections::BTreeMap;
use std::time::Duration;

/// More series than counts can wait at once.
fn config(rollouts: usize) -> String {
    let rollout = |at: usize| {
        format!(
            r#"{{"name": "r{at}", "match": {{"path_prefix": "/{at}/"}}, "baseline": "v1", "split": {{"v2": 50}},
                "versions": [{{"name": "v1", "cluster": "a"}}, {{"name": "v2", "cluster": "b"}}]}}"#
        )
    };
    let rollouts: Vec<String> = (0..rollouts).map(rollout).collect();
    format!(r#"{{"rollouts": [{}]}}"#, rollouts.join(","))
}

fn exchange(envoy: &mut Envoy, number: usize, rollouts: usize) {
    let path = format!("/{}/v1/chat/completions", number % rollouts);
    let id = format!("c{number}");
    let id = envoy.request(&[(":path", path.as_bytes()), ("x-conversation-id", id.as_bytes())]);
    let answer = br#"{"object":"chat.completion","choices":[{"index":0,"message":{"content":"Hello."},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":2}}"#;
    let status = if number.is_multiple_of(7) { "503" } else { "200" };
    id.respond(status, &[("content-type", b"application/json")], false).chunk(answer).complete();
}

fn sums(metrics: BTreeMap<String, Vec<u64>>) -> BTreeMap<String, u64> {
    metrics.into_iter().map(|(name, values)| (name, values.iter().sum())).collect()
}

fn total(envoy: &Envoy) -> u64 {
    let metrics = envoy.handed_over();
    metrics.iter().filter(|(name, _)| name.starts_with("llm_requests_total")).flat_map(|(_, v)| v).sum()
}

#[test]
fn what_is_counted_is_the_same_on_each_host() {
    const ROLLOUTS: usize = 24;
    let all = std::cell::RefCell::new(Vec::new());
    on_each_host(|| {
        let mut envoy = Envoy::with(&config(ROLLOUTS));
        for number in 0..400 {
            exchange(&mut envoy, number, ROLLOUTS);
            if number % 90 == 0 {
                envoy.tick();
            }
        }
        all.borrow_mut().push(sums(envoy.metrics()));
        envoy.stop();
    });
    let all = all.into_inner();
    assert!(all[0].len() > 512, "{}", all[0].len());
    assert_eq!(all[0], all[1]);
}

#[test]
fn few_counts_come_at_once_and_ticks_stop_without_counts() {
    let mut envoy = Envoy::with(&config(1));
    assert_eq!(envoy.tick(), 0, "nothing was counted");
    for number in 1..=50 {
        exchange(&mut envoy, number, 1);
        assert_eq!(total(&envoy), number as u64);
        let period_ms = envoy.tick();
        assert!((1..=100).contains(&period_ms), "{period_ms}");
    }
    envoy.tick();
    assert_eq!(envoy.tick(), 0);
    // And they begin anew.
    exchange(&mut envoy, 51, 1);
    assert_eq!(total(&envoy), 51);
    assert_ne!(envoy.tick(), 0);
}

#[test]
fn many_counts_come_at_the_next_tick() {
    let mut envoy = Envoy::with(&config(1));
    for round in 0..3 {
        let mut waited = false;
        for number in round * 100..round * 100 + 100 {
            exchange(&mut envoy, number, 1);
            waited |= total(&envoy) < number as u64 + 1;
        }
        assert!(waited);
        assert_ne!(envoy.tick(), 0);
        assert_eq!(total(&envoy), round as u64 * 100 + 100);
    }
    envoy.tick();
    assert_eq!(envoy.tick(), 0);
}

#[test]
fn counts_are_handed_over_when_a_configuration_is_replaced_or_deleted() {
    let mut envoy = Envoy::with(&config(1));
    (0..100).for_each(|number| exchange(&mut envoy, number, 1));
    assert!(total(&envoy) < 100);
    assert!(envoy.configure(config(2).as_bytes()));
    assert_eq!(total(&envoy), 100);
    (100..200).for_each(|number| exchange(&mut envoy, number, 2));
    assert!(total(&envoy) < 200);
    envoy.delete();
    assert_eq!(total(&envoy), 200);
}

#[test]
fn ticks_that_do_not_come_hold_counts_up_for_a_second() {
    let mut envoy = Envoy::with(&config(1));
    (0..100).for_each(|number| exchange(&mut envoy, number, 1));
    assert!(total(&envoy) < 100);
    envoy.advance(Duration::from_millis(1_100));
    exchange(&mut envoy, 100, 1);
    assert_eq!(total(&envoy), 101);
}

#[test]
fn without_ticks_counts_do_not_wait() {
    let mut envoy = Envoy::with(&config(1));
    envoy.refuse_ticks();
    for number in 1..=100 {
        exchange(&mut envoy, number, 1);
        assert_eq!(total(&envoy), number as u64);
    }
}

fn answers(envoy: &Envoy) -> usize {
    let metrics = envoy.handed_over();
    metrics
        .iter()
        .filter(|(name, _)| name.starts_with("llm_response_chars{"))
        .map(|(_, values)| values.len())
        .sum()
}

#[test]
fn a_module_counts_exchanges_later_and_past_its_limit_at_once() {
    const COUNT: usize = 5_600;
    Front::DynamicModule.choose();
    let mut envoy = Envoy::with(&config(1));
    (0..700).for_each(|number| exchange(&mut envoy, number, 1));
    assert_eq!(answers(&envoy), 0);
    envoy.tick();
    assert_eq!(answers(&envoy), 600, "each seventh fails");
    (700..COUNT).for_each(|number| exchange(&mut envoy, number, 1));
    let at_once = answers(&envoy) - 600;
    assert!((2_000..3_500).contains(&at_once), "{at_once}");
    envoy.tick();
    assert_eq!((answers(&envoy), total(&envoy)), (COUNT * 6 / 7, COUNT as u64));
}

#[test]
fn a_module_counts_what_is_left_when_its_configuration_ends() {
    Front::DynamicModule.choose();
    let mut envoy = Envoy::with(&config(1));
    (1..7).for_each(|number| exchange(&mut envoy, number, 1));
    assert_eq!((answers(&envoy), total(&envoy)), (0, 0));
    envoy.delete();
    assert_eq!((answers(&envoy), total(&envoy)), (6, 6));
}

#[test]
fn a_first_piece_that_is_read_later_keeps_its_time() {
    on_each_host(|| {
        let mut envoy = Envoy::with(&config(1));
        let event =
            |text: &str| format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n");
        let id = envoy.request(&[(":path", b"/0/v1/chat/completions"), ("x-conversation-id", b"c")]);
        envoy.advance(Duration::from_millis(40));
        let id = id.event_stream().chunk(event("a").as_bytes());
        envoy.advance(Duration::from_millis(500));
        let id = id.chunk(event("b").as_bytes());
        envoy.advance(Duration::from_millis(30));
        id.chunk(b"data: [DONE]\n\n").complete();
        let metrics = envoy.metrics();
        let values = |metric: &str| {
            let of = |(name, _): &(&String, &Vec<u64>)| name.starts_with(&format!("{metric}{{"));
            metrics.iter().find(of).map(|(_, values)| values.clone())
        };
        assert_eq!(values("llm_time_to_first_token_ms"), Some(vec![40]));
        assert_eq!(values("llm_longest_gap_ms"), Some(vec![500]));
        assert_eq!(values("llm_request_duration_ms"), Some(vec![570]));
        envoy.stop();
    });
}
