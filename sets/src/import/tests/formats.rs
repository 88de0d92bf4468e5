use super::{counts, figures, import, messages};
use serde_json::json;

#[test]
fn openai_evals_find_their_registry() {
    let samples = "{\"input\": [{\"role\": \"system\", \"content\": \"be short\"}, {\"role\": \"user\", \"content\": \"2+2?\"}], \"ideal\": [\"4\", \"four\"]}\n";
    let registry = "sums:\n  id: sums.v0\nsums.v0:\n  class: evals.elsuite.basic.match:Match\n  args: {samples_jsonl: sums/s.jsonl, num_few_shot: 1, few_shot_jsonl: sums/few.jsonl}\n\
                    loose.v0:\n  class: evals.elsuite.basic.includes:Includes\n  args: {samples_jsonl: sums/s.jsonl}\n\
                    own.v0:\n  class: my.own:Eval\n  args: {samples_jsonl: sums/s.jsonl}\n";
    let few = "{\"sample\": [{\"role\": \"user\", \"content\": \"1+1?\"}, {\"role\": \"assistant\", \"content\": \"2\"}]}\n{\"sample\": []}\n";
    for path in ["../../evals/sums.yaml", "../../registry/evals/sums.yaml"] {
        let beside =
            [(path, registry), ("../../data/sums/few.jsonl", few), ("../few.jsonl", few), ("few.jsonl", few)];
        // `../sums/few.jsonl` is what few_shot_jsonl means below data/.
        let beside = [&beside[..], &[("../sums/few.jsonl", few)]].concat();
        let found = figures("/x/data/sums/s.jsonl", samples, &beside);
        assert_eq!((found.format, found.cases, found.requests), ("openai-evals-jsonl", 1, 1));
        assert_eq!(
            (found.checks, found.left_out),
            (counts(&[("Includes", 1), ("Match", 1)]), counts(&[("Eval", 1)]))
        );
        let asked = messages("/x/data/sums/s.jsonl", samples, &beside);
        assert_eq!(asked[0].as_array().unwrap().len(), 4, "{asked:?}");
        assert_eq!(asked[0][3]["content"], json!("2+2?"));
    }
    let alone = figures("/x/s.jsonl", samples, &[]);
    assert_eq!((alone.cases, alone.checks.len()), (1, 0));
    assert!(alone.warnings[0].contains("registry"));
    let whole = figures("/x/registry/evals/sums.yaml", registry, &[("../data/sums/s.jsonl", samples)]);
    assert_eq!((whole.format, whole.cases), ("openai-evals-registry", 1));
}

#[test]
fn goldens_and_samples_are_asked_and_not_scored() {
    let golden = "[{\"input\": \"2+2?\", \"expected_output\": \"4\", \"actual_output\": \"5\"}]";
    let found = figures("g.json", golden, &[]);
    assert_eq!((found.format, found.cases, found.requests), ("deepeval-goldens", 1, 1));
    assert_eq!(import("g.json", golden, &[]).unwrap().0.cases[0].reference, Some(json!("4")));
    let talk = figures(
        "g.csv",
        "scenario,turns,expected_outcome\nbuys,\"[{\"\"role\"\": \"\"user\"\"}]\",done\n",
        &[],
    );
    assert_eq!((talk.format, talk.cases, talk.requests), ("deepeval-conversational-goldens", 1, 0));
    let sample = "{\"input\": \"Which?\", \"choices\": [\"x\", \"y\"], \"target\": \"B\", \"id\": 7}\n";
    let found = figures("s.jsonl", sample, &[]);
    assert_eq!((found.format, found.cases, found.requests), ("inspect-dataset", 1, 1));
    assert!(messages("s.jsonl", sample, &[])[0][0]["content"].as_str().unwrap().contains("B) y"));
}

#[test]
fn lm_eval_tasks_with_local_data_are_asked() {
    let task = "
include: base.yaml
task: sums
dataset_path: json
dataset_kwargs: {data_files: {test: data.jsonl}}
test_split: test
doc_to_text: \"Q: {{q}}\\nA:\"
doc_to_target: '{{a.split(\"#\")[-1].strip()}}'
num_fewshot: 1
fewshot_config: {samples: [{q: 1+1, a: '# 2'}]}
generation_kwargs: {until: ['Q:'], temperature: 0.0}
";
    let beside = [
        (
            "base.yaml",
            "filter_list: [{name: a, filter: [{function: regex, regex_pattern: '(\\d+)'}, {function: take_first}]}, {name: b, filter: [{function: remove_whitespace}]}]\nmetric_list: [{metric: exact_match}, {metric: f1}]\n",
        ),
        ("data.jsonl", "{\"q\": \"2+2\", \"a\": \"so # 4\"}\n"),
    ];
    let found = figures("sums.yaml", task, &beside);
    assert_eq!(
        (found.format, found.cases, found.checks),
        ("lm-eval-task-yaml", 1, counts(&[("exact_match", 2)]))
    );
    assert_eq!(found.left_out, counts(&[("f1", 2)]));
    assert_eq!(messages("sums.yaml", task, &beside)[0][0]["content"], json!("Q: 1+1\nA: 2\n\nQ: 2+2\nA:"));
    let left = figures(
        "t.yaml",
        "task: t\ndataset_path: org/x\noutput_type: multiple_choice\ndoc_to_text: !function utils.f\n",
        &[],
    );
    assert_eq!(
        (left.cases, left.left_out),
        (0, counts(&[("!function", 1), ("multiple_choice", 1), ("network", 1)]))
    );
}

#[test]
fn lines_of_chats_requests_batches_and_calls() {
    let bench = "{\"question_id\": 1, \"category\": \"writing\", \"turns\": [\"a\", \"b\"]}\n";
    assert_eq!(figures("q.jsonl", bench, &[]).requests, 2);
    let chats = "{\"system\": \"be\", \"messages\": [{\"role\": \"user\", \"content\": \"q\"}, {\"role\": \"assistant\", \"content\": \"a\"}]}\n";
    assert_eq!(figures("c.jsonl", chats, &[]).format, "chat-jsonl");
    assert_eq!(
        messages("c.jsonl", chats, &[])[0],
        json!([{"role": "system", "content": "be"}, {"role": "user", "content": "q"}])
    );
    let body =
        "{\"messages\": [{\"role\": \"_input\", \"content\": \"q\"}], \"tools\": [], \"temperature\": 1}\n";
    let found = figures("k.jsonl", body, &[]);
    assert_eq!(
        (found.format, found.checks),
        ("k2-vendor-verifier-requests", counts(&[("tool-call-schema", 1)]))
    );
    let batch = "{\"custom_id\": \"a\", \"method\": \"POST\", \"url\": \"/v1/chat/completions\", \"body\": {\"model\": \"m\", \"messages\": [{\"role\": \"user\", \"content\": \"q\"}]}}\n";
    assert_eq!(
        (figures("b.jsonl", batch, &[]).format, figures("b.jsonl", batch, &[]).requests),
        ("openai-batch-jsonl", 1)
    );
    let call = "{\"id\": \"simple_0\", \"question\": [[{\"role\": \"user\", \"content\": \"q\"}]], \"function\": [{\"name\": \"a.b\", \"parameters\": {\"type\": \"dict\", \"properties\": {\"x\": {\"type\": \"float\"}}}}]}\n";
    let answer = "{\"id\": \"simple_0\", \"ground_truth\": [{\"a.b\": {\"x\": [1.0]}}]}\n";
    let beside = [("possible_answer/BFCL_simple.json", answer)];
    assert_eq!(figures("BFCL_simple.json", call, &beside).checks, counts(&[("tool-call-ast", 1)]));
    let tools = &import("BFCL_simple.json", call, &beside).unwrap().0.cases[0].body["tools"];
    assert_eq!(tools[0]["function"]["name"], json!("a_b"));
    assert_eq!(tools[0]["function"]["parameters"]["properties"]["x"]["type"], json!("number"));
}

#[test]
fn what_is_no_set_is_refused() {
    for (path, text) in [
        ("e.yaml", "name: x\nstimuli: [{name: a, prompt: b, graders: [{type: x}]}]\n"),
        ("e.json", "{\"a\": 1}"),
        ("e.csv", "a,b\n1,2\n"),
        ("e.jsonl", "{\"text\": \"x\"}\n{\"text\": \"y\"}\n"),
        ("e.yaml", "just text\n"),
    ] {
        let words = import(path, text, &[]).err().unwrap_or_default();
        assert!(words.contains("unknown format"), "{path}: {words}");
    }
    for (path, text) in [
        ("e.js", "module.exports = {}"),
        ("e.yaml", ""),
        ("e.json", "[]"),
        ("e.yaml", "a: [1\n"),
        ("e.jsonl", "{\n"),
    ] {
        assert!(import(path, text, &[]).is_err(), "{path} {text}");
    }
}
