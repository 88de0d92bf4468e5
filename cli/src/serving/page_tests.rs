//! The page as it is served.

use super::shown::Shown;
use super::tests::{Case, found, gate, header, moment, request, view};
use super::view::{Moment, View};
use super::{Outcome, Reply, Request, answer};
use crate::page::{Found, Journal, Now, Page};
use llm_canary_verdict::policy::Policy;
use std::sync::Arc;

/// The view of a case, with its page as the loop makes it.
fn shown(case: Case, version: &str, state: Option<&str>) -> View {
    let mut view = view(case);
    let analysis = found(case, version).analysis;
    let one = Found { analysis, points: Vec::new(), shards: [].into(), steps: None };
    let page = Page::new("chat", vec![one], &Policy::default(), Journal::default(), None, 1);
    let page = page.with_now(Now::new(state, view.trouble.as_deref(), None));
    view.page = Some(Arc::new(Shown::new(page)));
    view
}

fn reply(request: &Request, view: &View, moment: Moment) -> Reply {
    match answer(request, view, &gate(), moment) {
        Outcome::Reply(reply) => reply,
        Outcome::Approve => panic!("{request:?}"),
    }
}

/// The text of the first heading.
fn heading(html: &str) -> String {
    let (_, rest) = html.split_once("<h1").unwrap();
    let (heading, _) = rest.split_once("</h1>").unwrap();
    heading.split('<').filter_map(|part| part.split_once('>')).map(|(_, text)| text).collect()
}

#[test]
fn it_says_what_is_decided_and_nothing_is_fine_while_the_source_is_silent() {
    for (case, words) in [
        (Case::Fine, "● v2 is fine at "),
        (Case::Regression, "■ v2 is worse than v1: refusals: "),
        (Case::Open, "▲ Whether v2 is worse than v1 is not decided yet: "),
        (Case::Silent, "▲ Whether v2 is worse than v1 is not known at the moment: http://p:9090: it refuses"),
        (Case::SilentRegression, "■ v2 is worse than v1: refusals: "),
        (Case::Old, "▲ Whether v2 is worse than v1 is not known at the moment: nobody has looked"),
    ] {
        for path in ["/", "/api/page"] {
            let view = shown(case, "v2", Some("v2 gets 25 %"));
            let reply = reply(&request("GET", path), &view, moment(case));
            assert_eq!(
                (reply.status, header(&reply, "content-type")),
                (200, Some("text/html; charset=utf-8"))
            );
            let heading = heading(&reply.body);
            assert!(heading.starts_with(words), "{heading}");
            assert!(reply.body.contains("Now: <bdi>v2 gets 25 %</bdi>"));
            let is_missing = matches!(case, Case::Silent | Case::SilentRegression | Case::Old);
            assert_eq!(reply.body.contains("Something is missing"), is_missing, "{path}");
        }
    }
}

#[test]
fn before_there_is_anything_it_says_why() {
    for (view, words) in [
        (View::default(), "▲ Nothing is judged yet: the first look at the source is not over"),
        (
            View { has_looked: true, idle: Some("no version has a share".to_owned()), ..view(Case::Nothing) },
            "▲ Nothing is judged yet: no version has a share",
        ),
        (
            View { trouble: Some("http://p:9090: it took too long".to_owned()), ..view(Case::Nothing) },
            "▲ Nothing is judged yet: http://p:9090: it took too long",
        ),
    ] {
        let reply = reply(&request("GET", "/"), &view, moment(Case::Fine));
        assert_eq!(heading(&reply.body), words);
        assert!(reply.body.contains("data-page=\"/api/page\""), "it goes on");
    }
}

#[test]
fn a_page_that_is_still_the_same_is_not_sent_again() {
    let view = shown(Case::Fine, "v2", None);
    let first = reply(&request("GET", "/api/page"), &view, moment(Case::Fine));
    let tag = header(&first, "etag").unwrap();
    let again = request("GET", "/api/page").with("if-none-match", tag);
    let same = reply(&again, &view, moment(Case::Fine));
    assert_eq!((same.status, &*same.body, header(&same, "etag")), (304, "", Some(tag)));
    for (view, case) in [(shown(Case::Fine, "v3", None), Case::Fine), (view, Case::Old)] {
        let other = reply(&again, &view, moment(case));
        assert!(other.status == 200 && header(&other, "etag") != Some(tag));
    }
}

#[test]
fn who_asks_often_shares_one_text() {
    let view = shown(Case::Fine, "v2", None);
    for case in [Case::Fine, Case::Old] {
        let bodies = [(), (), ()].map(|()| reply(&request("GET", "/"), &view, moment(case)).body);
        assert!(bodies.iter().all(|body| Arc::ptr_eq(body, &bodies[0])), "it is written once for each look");
    }
}

#[test]
fn a_browser_may_run_its_own_script_and_nothing_else() {
    let reply = reply(&request("GET", "/"), &shown(Case::Fine, "v2", None), moment(Case::Fine));
    let policy = header(&reply, "content-security-policy").unwrap();
    let rules: Vec<&str> = policy.split("; ").collect();
    for rule in [
        "default-src 'none'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ] {
        assert!(rules.contains(&rule), "{policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
    for of in ["script-src ", "style-src "] {
        let rule = rules.iter().find_map(|rule| rule.strip_prefix(of)).unwrap();
        assert!(rule.starts_with("'sha256-") && !rule.contains(' '), "{rule}");
    }
    // What stands in the page is the same, but for who may frame it.
    let meta = policy.replace("; frame-ancestors 'none'", "").replace('\'', "&#39;");
    assert!(reply.body.contains(&format!("content=\"{meta}\"")), "{meta}");
}

#[test]
fn what_a_label_has_stays_text() {
    let evil = "<script>alert('v2')</script>&\"";
    let mut odd = shown(Case::Regression, evil, Some("<b onclick=alert(1)>"));
    odd.trouble = Some("<img src=x onerror=alert(1)>".to_owned());
    let mut one = found(Case::Regression, evil).analysis;
    one.judgement.because = vec!["</ul><script>".to_owned()];
    let one = Found { analysis: one, points: Vec::new(), shards: [].into(), steps: None };
    let mut journal = Journal::default();
    journal.push(
        &serde_json::json!({"at": "2026-11-23T09:00:00Z", "event": evil, "text": evil, "why": [evil]}),
        "chat",
    );
    let page = Page::new(evil, vec![one], &Policy::default(), journal, None, 1);
    let page = page.with_now(Now::new(Some("<b onclick=alert(1)>"), odd.trouble.as_deref(), Some(evil)));
    odd.page = Some(Arc::new(Shown::new(page)));
    let page = reply(&request("GET", "/"), &odd, moment(Case::Regression)).body;
    for text in ["<script>alert", "<img", "<b onclick", "</ul><script"] {
        assert!(!page.contains(text), "{text}");
    }
    assert!(page.contains("&#60;script&#62;alert(&#39;v2&#39;)&#60;/script&#62;&#38;&#34;"), "{page}");
    // Before there is a page of a version, too.
    let nothing = View {
        idle: Some(evil.to_owned()),
        rollout: Some(evil.to_owned()),
        page: None,
        ..view(Case::Nothing)
    };
    assert!(!reply(&request("GET", "/"), &nothing, moment(Case::Fine)).body.contains("<script>alert"));
}
