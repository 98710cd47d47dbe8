//! `explain` and the ledger tell the same story of the same request: random policies, random requests, targets that
//! fail by script. What `explain` says beforehand is held against what the gateway did and wrote down.

mod gateway;
mod scene;

use gateway::{Answer, Gateway, sims};
use http::Method;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use scene::{Request, Scene};
use serde_json::Value;
use std::collections::HashMap;

/// Policy files, each with a gateway of its own.
const FILES: usize = 20;
/// Scenes in one file. Few, for every explanation reads the whole file, and many would use up the gateway's budget of
/// retries, which `explain` takes as full.
const SCENES: usize = 8;
/// Calls that one request may make.
const MOST_ATTEMPTS: usize = 4;

/// What comes after an attempt that failed.
#[derive(Debug, PartialEq)]
enum Follows {
    Step(usize),
    /// The client gets the failure as it is.
    Returned,
    /// No more attempts.
    Stopped,
    /// Nothing was said for this history.
    Untold,
}

#[derive(Debug, Default)]
struct Count {
    requests: usize,
    denied: usize,
    served: usize,
    failed: usize,
    failed_over: usize,
    attempts: usize,
    foretold: usize,
    untold: usize,
}

/// One attempt that did not serve.
struct Tried<'a> {
    step: usize,
    failure: &'a str,
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

/// `pointsman explain` of this very request, beside the running gateway.
fn explained(gateway: &Gateway, n: usize, request: &Request) -> Value {
    let file = gateway.dir.path().join(format!("request-{n}.json"));
    std::fs::write(&file, request.body.to_string()).expect("the request file");
    let file = file.display().to_string();
    let headers: Vec<String> =
        request.headers.iter().map(|(name, value)| format!("-H{name}: {value}")).collect();
    let mut args =
        vec!["explain", "-c", "pointsman.yaml", "--request", &file, "--dialect", request.dialect, "--json"];
    args.extend(headers.iter().map(String::as_str));
    let out = gateway.run(&args);
    let told: Value = serde_json::from_slice(&out.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&out.stderr)));
    let denied = !told["denial"].is_null();
    assert_eq!(out.status.code(), Some(i32::from(denied)), "the exit code tells a denial: {told}");
    told
}

/// What the explanation says of the last failure.
fn foretold(steps: &[Value], tried: &[Tried<'_>]) -> Follows {
    let Some((last, before)) = tried.split_last() else { return Follows::Step(0) };
    let calls = tried.iter().filter(|t| t.step == last.step).count();
    let key_out = |t: &Tried<'_>| matches!(t.failure, "auth" | "quota");
    // The explanation walks the steps one after another; told to the letter is what happens on that way.
    let on_its_way = before.iter().map(|t| t.step).eq(0..last.step) && !before.iter().any(key_out);
    let line = list(&steps[last.step], "after")
        .iter()
        .find(|line| list(line, "failures").iter().any(|failure| failure == last.failure));
    let then = line.map_or(&Value::Null, |line| &line["then"]);
    if on_its_way {
        return match then {
            then if then["again"].is_object() => Follows::Step(last.step),
            then if then["step"].is_object() => {
                then["step"]["step"].as_u64().map_or(Follows::Untold, |step| Follows::Step(step as usize))
            }
            then if then == "return" => Follows::Returned,
            then if then["stop"].is_string() => Follows::Stopped,
            _ => Follows::Untold,
        };
    }
    if then == "return" && last.failure != "context_exceeded" {
        return Follows::Returned;
    }
    if tried.len() >= MOST_ATTEMPTS {
        return Follows::Stopped;
    }
    if then["again"].is_object() && calls == 1 {
        return Follows::Step(last.step);
    }
    if line.is_none() || last.failure == "context_exceeded" {
        return Follows::Untold;
    }
    // Otherwise onward: the first step in the order of the plan that was not tried, and whose key is not out.
    let provider = |i: usize| text(&steps[i], "target").split('/').next().unwrap_or_default();
    let fresh =
        |i: &usize| tried.iter().all(|t| t.step != *i && !(key_out(t) && provider(t.step) == provider(*i)));
    (0..steps.len()).find(fresh).map_or(Follows::Stopped, Follows::Step)
}

/// Every point in which explanation, ledger and answer differ.
fn differences(
    request: &Request,
    told: &Value,
    row: &Value,
    answer: &Answer,
    count: &mut Count,
) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut same = |what: &str, told: &Value, done: &Value| {
        if told != done {
            wrong.push(format!("{what}: explained as {told}, recorded as {done}"));
        }
    };
    count.requests += 1;
    same("policy", &told["policy_digest"], &row["policy_digest"]);
    let attempts = list(row, "attempts");
    if let Value::Object(denial) = &told["denial"] {
        count.denied += 1;
        same("end", &"denied".into(), &row["end"]);
        same("workflow", &told["workflow"], &row["workflow"]);
        same("code", &denial["code"], &row["problem"]);
        same("status", &denial["status"], &answer.status.into());
        same("attempts", &0.into(), &attempts.len().into());
        return wrong;
    }
    same("workflow", &told["workflow"], &row["workflow"]);
    same("data class", &told["data_class"], &row["data_class"]);
    same("deadline", &told["deadline_ms"], &request.deadline_ms(row["workflow"].is_string()).into());
    same("header x-pointsman-workflow", &told["workflow"], &answer.header("x-pointsman-workflow").into());
    same(
        "header x-pointsman-attempts",
        &attempts.len().to_string().into(),
        &answer.header("x-pointsman-attempts").into(),
    );
    let steps = list(told, "steps");
    let mut tried: Vec<Tried<'_>> = Vec::new();
    for (i, attempt) in attempts.iter().enumerate() {
        count.attempts += 1;
        let at = usize::try_from(attempt["step"].as_u64().unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
        let Some(step) = steps.get(at) else {
            wrong.push(format!("attempt {i} is step {at}, and the plan has {}", steps.len()));
            return wrong;
        };
        let mut same = |what: &str, told: &Value, done: &Value| {
            if told != done {
                wrong.push(format!("attempt {i}, {what}: explained as {told}, recorded as {done}"));
            }
        };
        match foretold(steps, &tried) {
            Follows::Step(expected) => {
                count.foretold += 1;
                same("step", &expected.into(), &at.into());
            }
            Follows::Untold => count.untold += 1,
            end => same("step", &format!("none ({end:?})").into(), &at.into()),
        }
        same("target", &step["target"], &attempt["target"]);
        same("permit", &step["permit"], &attempt["permit"]);
        if let Some(failure) = attempt["failure"].as_str() {
            tried.push(Tried { step: at, failure });
        }
    }
    count.failed_over += usize::from(attempts.len() > 1);
    let declined = tried
        .last()
        .is_some_and(|t| tried.len() == attempts.len() && matches!(t.failure, "refusal" | "content_filter"));
    let mut same = |what: &str, told: &Value, done: &Value| {
        if told != done {
            wrong.push(format!("{what}: explained as {told}, recorded as {done}"));
        }
    };
    // Once the client has seen content nobody else may answer, whatever the failure: of a stream that declines or breaks
    // after its first words no step of the explanation follows.
    let content_sent = attempts.last().is_some_and(|a| row["stream"] == true && a["first_token_ms"].is_u64());
    if row["end"] == "served" {
        count.served += 1;
        let last = attempts.last().map_or(&Value::Null, |a| &a["step"]);
        let step = &steps[last.as_u64().unwrap_or(0) as usize];
        same("served_by", &step["target"], &row["served_by"]);
        same("gave_up", &step["gave_up"], &row["gave_up"]);
        same("header x-pointsman-served-by", &step["target"], &answer.served_by().into());
        let lost: Vec<&str> = list(step, "gave_up").iter().filter_map(Value::as_str).collect();
        let header = answer.header("x-pointsman-gave-up").unwrap_or_default();
        same("header x-pointsman-gave-up", &lost.join(", ").into(), &header.into());
        if declined && !content_sent {
            same("a refusal", &format!("{:?}", foretold(steps, &tried)).into(), &"Returned".into());
        } else if !declined {
            same("failures", &(attempts.len() - 1).into(), &tried.len().into());
        }
    } else {
        count.failed += 1;
        same("end", &"failed".into(), &row["end"]);
        same("failures", &attempts.len().into(), &tried.len().into());
        if let Follows::Step(step) = foretold(steps, &tried)
            && !content_sent
        {
            wrong.push(format!("after the last attempt step {step} was explained, and nobody was called"));
        }
    }
    wrong
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn explain_and_the_ledger_tell_the_same_story() {
    let sim = sims::instant("s").await;
    let mut runner = TestRunner::default();
    let mut count = Count::default();
    let mut wrong = Vec::new();
    for _ in 0..FILES {
        let scenes = scene::scenes(SCENES).new_tree(&mut runner).expect("scenes").current();
        let file = scene::policy(&scenes, &format!("{}/v1", sim.url()), &sim.url());
        let gateway = Gateway::start(&file).await;
        let stories = play(&gateway, &scenes).await;
        let rows: HashMap<String, Value> =
            gateway.ledger().into_iter().map(|row| (text(&row, "request_id").to_owned(), row)).collect();
        assert_eq!(rows.len(), SCENES, "one row a request");
        for (n, (told, answer)) in stories.iter().enumerate() {
            let row = rows.get(answer.id()).unwrap_or(&Value::Null);
            let differences = differences(&scenes[n].request(n), told, row, answer, &mut count);
            if !differences.is_empty() {
                wrong.push(format!(
                    "{}\n{}\nrequest {:?} {}\nexplained {told:#}\nrecorded {row:#}\nanswered {} {}\n",
                    differences.join("\n"),
                    scenes[n].alone(n),
                    scenes[n].request(n).headers,
                    scenes[n].request(n).body,
                    answer.status,
                    answer.body
                ));
            }
        }
    }
    println!("{count:?}");
    assert!(wrong.is_empty(), "{} of {} disagree:\n{}", wrong.len(), count.requests, wrong.join("\n"));
    assert!(count.denied > 0 && count.failed > 0 && count.failed_over > 0, "{count:?}");
}

/// Explains and sends every request, each beside its answer.
async fn play(gateway: &Gateway, scenes: &[Scene]) -> Vec<(Value, Answer)> {
    let requests: Vec<Request> = scenes.iter().enumerate().map(|(n, scene)| scene.request(n)).collect();
    let told = tokio::task::block_in_place(|| all_explained(gateway, &requests));
    let mut stories = Vec::new();
    for (request, told) in requests.iter().zip(told) {
        let headers: Vec<(&str, &str)> =
            request.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let body = request.body.to_string();
        let answer = gateway.send(Method::POST, request.path, &headers, &body).await.expect("an answer");
        stories.push((told, answer));
    }
    stories
}

/// Every request explained, two at a time: each is a run of the binary.
fn all_explained(gateway: &Gateway, requests: &[Request]) -> Vec<Value> {
    let half = requests.len() / 2;
    let explain = |from: usize, some: &[Request]| -> Vec<Value> {
        some.iter().enumerate().map(|(i, request)| explained(gateway, from + i, request)).collect()
    };
    std::thread::scope(|threads| {
        let second = threads.spawn(|| explain(half, &requests[half..]));
        let mut told = explain(0, &requests[..half]);
        told.extend(second.join().expect("explained"));
        told
    })
}
