//! The provider behind the proxies: answers at once, from prepared bytes, with as little work as possible.
//!
//! The model's name says how: `answer` is one whole answer of a kilobyte, `chunks-N-U` streams N chunks one
//! every U microseconds, `hold` streams one chunk and then nothing until the caller leaves. `/v1/messages` is
//! answered in the Anthropic dialect, anything else in the OpenAI dialect.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::Outcome;

/// Serves on a free port of loopback, which it prints, until it is killed.
pub fn serve() -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|e| e.to_string())?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|e| e.to_string())?;
        println!("{}", listener.local_addr().map_err(|e| e.to_string())?);
        loop {
            let (stream, _) = listener.accept().await.map_err(|e| e.to_string())?;
            // A caller that leaves ends its own connection only.
            tokio::spawn(async move { connection(stream).await.ok() });
        }
    })
}

async fn connection(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(128 * 1024);
    loop {
        let Some((head, length)) = read_head(&mut stream, &mut buffer).await? else { return Ok(()) };
        let end = head + length;
        while buffer.len() < end {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        }
        let anthropic = buffer.starts_with(b"POST /v1/messages");
        let model = model(&buffer[head..end]).to_vec();
        answer(&mut stream, anthropic, &model).await?;
        buffer.drain(..end);
    }
}

/// Length of the head with its empty line, and of the body that follows. `None` when the caller left.
async fn read_head(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> std::io::Result<Option<(usize, usize)>> {
    loop {
        if let Some(at) = memchr::memmem::find(buffer, b"\r\n\r\n") {
            return Ok(Some((at + 4, body_length(&buffer[..at]))));
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
}

fn body_length(head: &[u8]) -> usize {
    let lines = head.split(|b| *b == b'\n');
    let values = lines.filter_map(|line| {
        let (name, value) = line.split_at_checked(15)?;
        name.eq_ignore_ascii_case(b"content-length:").then(|| value.trim_ascii())
    });
    values.filter_map(|value| std::str::from_utf8(value).ok()?.parse().ok()).next().unwrap_or(0)
}

/// The model's name, from the first `"model"` key. The bench's own bodies hold no other.
fn model(body: &[u8]) -> &[u8] {
    let Some(at) = memchr::memmem::find(body, b"\"model\"") else { return b"" };
    let mut parts = body[at + 7..].splitn(3, |b| *b == b'"');
    parts.nth(1).unwrap_or_default()
}

async fn answer(stream: &mut TcpStream, anthropic: bool, model: &[u8]) -> std::io::Result<()> {
    let model = String::from_utf8_lossy(model);
    let mut parts = model.split('-');
    match (parts.next(), parts.next(), parts.next()) {
        (Some("chunks"), Some(count), Some(pace)) => {
            let pace = Duration::from_micros(pace.parse().unwrap_or(0));
            chunks(stream, anthropic, count.parse().unwrap_or(1), pace).await
        }
        (Some("hold"), ..) => {
            stream.write_all(STREAM_HEAD).await?;
            stream.write_all(&framed(begin(anthropic))).await?;
            stream.write_all(&framed(chunk(anthropic))).await?;
            // Wakes when the caller leaves.
            stream.read_u8().await.map(|_| ())
        }
        _ => stream.write_all(if anthropic { anthropic_answer() } else { openai_answer() }).await,
    }
}

async fn chunks(stream: &mut TcpStream, anthropic: bool, count: u64, pace: Duration) -> std::io::Result<()> {
    stream.write_all(STREAM_HEAD).await?;
    stream.write_all(&framed(begin(anthropic))).await?;
    let one = framed(chunk(anthropic));
    let mut ticks = tokio::time::interval(pace.max(Duration::from_micros(1)));
    for _ in 0..count {
        ticks.tick().await;
        stream.write_all(&one).await?;
    }
    let mut end = framed(finish(anthropic));
    end.extend_from_slice(b"0\r\n\r\n");
    stream.write_all(&end).await
}

const STREAM_HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

fn framed(event: &str) -> Vec<u8> {
    format!("{:x}\r\n{event}\r\n", event.len()).into_bytes()
}

fn begin(anthropic: bool) -> &'static str {
    if anthropic {
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\
         \"role\":\"assistant\",\"model\":\"answer\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\
         \"usage\":{\"input_tokens\":230,\"output_tokens\":1}}}\n\nevent: content_block_start\ndata: \
         {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
    } else {
        "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1760000000,\"model\":\"answer\",\
         \"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n"
    }
}

fn chunk(anthropic: bool) -> &'static str {
    if anthropic {
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\
         \"text_delta\",\"text\":\" parcel zq~\"}}\n\n"
    } else {
        "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1760000000,\"model\":\"answer\",\
         \"choices\":[{\"index\":0,\"delta\":{\"content\":\" parcel zq~\"},\"finish_reason\":null}]}\n\n"
    }
}

fn finish(anthropic: bool) -> &'static str {
    if anthropic {
        "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\nevent: message_delta\ndata: \
         {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":\
         {\"output_tokens\":200}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
    } else {
        "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1760000000,\"model\":\"answer\",\
         \"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":230,\
         \"completion_tokens\":200,\"total_tokens\":430}}\n\ndata: [DONE]\n\n"
    }
}

/// Seven hundred bytes of answer, so that the whole body is a kilobyte.
fn answer_text() -> String {
    let text = "The parcel is at the back door, as the note asked. ".repeat(14);
    format!("{text}zq~")
}

fn whole(body: &serde_json::Value) -> Vec<u8> {
    let body = body.to_string();
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn openai_answer() -> &'static [u8] {
    static BYTES: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    BYTES.get_or_init(|| {
        whole(&serde_json::json!({
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1_760_000_000, "model": "answer",
            "choices": [{
                "index": 0,
                "message": {"role": "assistant", "content": answer_text(), "refusal": null},
                "logprobs": null, "finish_reason": "stop",
            }],
            "usage": {"prompt_tokens": 230, "completion_tokens": 160, "total_tokens": 390},
        }))
    })
}

fn anthropic_answer() -> &'static [u8] {
    static BYTES: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    BYTES.get_or_init(|| {
        whole(&serde_json::json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "answer",
            "content": [{"type": "text", "text": answer_text()}],
            "stop_reason": "end_turn", "stop_sequence": null,
            "usage": {"input_tokens": 230, "output_tokens": 160},
        }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::response::MARK;

    #[test]
    fn every_answer_and_every_chunk_carries_one_mark() {
        for bytes in [openai_answer(), anthropic_answer(), chunk(true).as_bytes(), chunk(false).as_bytes()] {
            assert_eq!(memchr::memmem::find_iter(bytes, MARK).count(), 1);
        }
        for bytes in [begin(true), begin(false), finish(true), finish(false)] {
            assert_eq!(memchr::memmem::find_iter(bytes.as_bytes(), MARK).count(), 0);
        }
    }

    #[test]
    fn the_events_of_every_stream_are_json() {
        for event in [begin(true), begin(false), chunk(true), chunk(false), finish(true), finish(false)] {
            for data in event.lines().filter_map(|line| line.strip_prefix("data: ")) {
                assert!(
                    data == "[DONE]" || serde_json::from_str::<serde_json::Value>(data).is_ok(),
                    "{data}"
                );
            }
        }
    }

    #[test]
    fn the_model_is_found_with_and_without_a_space() {
        assert_eq!(model(b"{\"model\":\"hold\",\"x\":1}"), b"hold");
        assert_eq!(model(b"{\"a\":1,\"model\": \"chunks-2-10\"}"), b"chunks-2-10");
        assert_eq!(body_length(b"POST / HTTP/1.1\r\nContent-Length: 42\r\nx: y"), 42);
    }
}
