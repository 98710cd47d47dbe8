//! Turns an answer and a fault into what happens on the connection: waits, bytes, silence, an end before the end.
//!
//! A reply is a list of [`Act`]s, made here without a socket or a clock, so that every fault can be checked as data;
//! [`crate::body`] performs it. What the frames say is up to the dialects.

use crate::fault::Fault;
use crate::seed::Dice;
use bytes::Bytes;
use std::time::Duration;

/// One event of a stream, before it has a framing.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) event: Option<&'static str>,
    pub(crate) data: String,
    pub(crate) role: Role,
    /// Characters of the answer that it carries, for billing what was delivered.
    pub(crate) chars: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Opens or closes something; says nothing.
    Lifecycle,
    /// A word of the answer, of its reasoning or of a tool's arguments.
    Token,
    /// Says why the answer ended.
    Finish,
    /// Usage, or the terminator.
    After,
}

/// What happens next on the connection.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Act {
    Wait(Duration),
    Send {
        bytes: Bytes,
        chars: usize,
    },
    /// Nothing more happens until the client leaves.
    Hang,
    End(Ending),
}

/// How the simulated provider breaks a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Closed without a terminator.
    Cut,
    /// Reset (`SO_LINGER` 0).
    Reset,
}

/// How fast an answer comes.
#[derive(Debug, Clone)]
pub(crate) struct Tempo {
    pub(crate) first: Duration,
    pub(crate) gap: Duration,
    pub(crate) jitter: Option<Dice>,
}

impl Tempo {
    fn vary(&mut self, wait: Duration) -> Act {
        let factor = self.jitter.as_mut().map_or(1.0, |dice| 0.75 + dice.unit() / 2.0);
        Act::Wait(wait.mul_f64(factor))
    }

    fn first(&mut self) -> Act {
        self.vary(self.first)
    }

    fn gap(&mut self) -> Act {
        self.vary(self.gap)
    }

    /// The wait for a whole answer of so many tokens.
    pub(crate) fn whole(&mut self, tokens: u64) -> Act {
        let gaps = u32::try_from(tokens.saturating_sub(1)).unwrap_or(u32::MAX);
        self.vary(self.first.saturating_add(self.gap.saturating_mul(gaps)))
    }
}

/// The acts of a stream. `error` is the dialect's error frame, for the fault that needs it.
pub(crate) fn stream(
    mut frames: Vec<Frame>,
    fault: Option<&Fault>,
    error: Frame,
    mut tempo: Tempo,
) -> Vec<Act> {
    let mut last = None;
    match fault {
        Some(Fault::SlowFirstToken { ms }) => tempo.first = Duration::from_millis(*ms),
        Some(Fault::Stall { after_tokens }) => {
            keep(&mut frames, *after_tokens);
            last = Some(Act::Hang);
        }
        Some(Fault::Cut { after_tokens }) => {
            keep(&mut frames, *after_tokens);
            last = Some(Act::End(Ending::Cut));
        }
        Some(Fault::ResetMid { after_tokens }) => {
            keep(&mut frames, *after_tokens);
            last = Some(Act::End(Ending::Reset));
        }
        Some(Fault::InStreamError { after_tokens }) => {
            keep(&mut frames, *after_tokens);
            frames.push(error);
        }
        Some(Fault::MalformedChunk { at, count }) => malform(&mut frames, *at, *count),
        Some(Fault::DoubleFinish {}) => {
            if let Some(at) = frames.iter().position(|f| f.role == Role::Finish) {
                frames.insert(at, frames[at].clone());
            }
        }
        _ => {}
    }
    let newline = if matches!(fault, Some(Fault::CrlfFrames {})) { "\r\n" } else { "\n" };
    let comments = matches!(fault, Some(Fault::Comments {}));
    let mut acts = pace(&frames, newline, comments, &mut tempo);
    if matches!(fault, Some(Fault::NoFinalNewline {})) {
        unfinish(&mut acts);
    }
    acts.extend(last);
    if matches!(fault, Some(Fault::SplitFrames {})) { split(acts) } else { acts }
}

/// The acts of a whole body. Faults in the middle of an answer happen halfway through the bytes.
pub(crate) fn whole(body: Bytes, chars: usize, fault: Option<&Fault>) -> Vec<Act> {
    if body.is_empty() {
        return Vec::new();
    }
    let half = |last: Act| vec![Act::Send { bytes: body.slice(..body.len() / 2), chars: chars / 2 }, last];
    match fault {
        Some(Fault::Stall { .. }) => half(Act::Hang),
        Some(Fault::Cut { .. }) => half(Act::End(Ending::Cut)),
        Some(Fault::ResetMid { .. }) => half(Act::End(Ending::Reset)),
        Some(Fault::SplitFrames {}) => split(vec![Act::Send { bytes: body, chars }]),
        _ => vec![Act::Send { bytes: body, chars }],
    }
}

/// Keeps what comes up to token `n`: opening frames, `n` tokens, and never a frame that ends the answer.
fn keep(frames: &mut Vec<Frame>, n: usize) {
    let mut seen = 0;
    let end = frames.iter().position(|f| {
        let over = match f.role {
            Role::Token => seen == n,
            Role::Lifecycle => seen == n && n > 0,
            Role::Finish | Role::After => true,
        };
        seen += usize::from(f.role == Role::Token);
        over
    });
    frames.truncate(end.unwrap_or(frames.len()));
}

/// Puts `count` frames of cut-off JSON before token `at`, or before the finish if there are fewer tokens.
fn malform(frames: &mut Vec<Frame>, at: usize, count: usize) {
    let tokens = frames.iter().enumerate().filter(|(_, f)| f.role == Role::Token);
    let finish = || frames.iter().position(|f| f.role == Role::Finish);
    let Some(place) = tokens.map(|(i, _)| i).nth(at).or_else(finish) else { return };
    let mut broken = frames[place].clone();
    broken.data = broken.data.chars().take(broken.data.chars().count() / 2).collect();
    broken.chars = 0;
    broken.role = Role::Lifecycle;
    frames.splice(place..place, std::iter::repeat_n(broken, count));
}

fn pace(frames: &[Frame], newline: &str, comments: bool, tempo: &mut Tempo) -> Vec<Act> {
    let mut acts = Vec::with_capacity(frames.len() * 2);
    let mut begun = false;
    for frame in frames {
        let speaks = frame.role != Role::Lifecycle;
        if speaks && !begun {
            acts.push(tempo.first());
            begun = true;
        } else if frame.role == Role::Token {
            acts.push(tempo.gap());
        }
        let mut text = String::with_capacity(frame.data.len() + 48);
        if comments {
            text.push_str(&format!(": keep-alive{newline}{newline}"));
        }
        if let Some(event) = frame.event {
            text.push_str(&format!("event: {event}{newline}"));
        }
        text.push_str(&format!("data: {}{newline}{newline}", frame.data));
        acts.push(Act::Send { bytes: text.into(), chars: frame.chars });
    }
    acts
}

fn unfinish(acts: &mut [Act]) {
    if let Some(Act::Send { bytes, .. }) = acts.last_mut() {
        let end = bytes.iter().rposition(|b| *b != b'\n').map_or(0, |at| at + 1);
        bytes.truncate(end);
    }
}

fn split(acts: Vec<Act>) -> Vec<Act> {
    let cut = |act| match act {
        Act::Send { bytes, chars } => {
            let one = |at| Act::Send { bytes: bytes.slice(at..=at), chars: if at == 0 { chars } else { 0 } };
            (0..bytes.len()).map(one).collect()
        }
        other => vec![other],
    };
    acts.into_iter().flat_map(cut).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(role: Role, data: &str) -> Frame {
        Frame { event: None, data: data.to_owned(), role, chars: data.len() }
    }

    fn wire(fault: Fault) -> (String, Option<Act>) {
        let frames = vec![
            frame(Role::Lifecycle, "open"),
            frame(Role::Token, "one1"),
            frame(Role::Token, "two2"),
            frame(Role::Lifecycle, "shut"),
            frame(Role::Finish, "fin"),
            frame(Role::After, "end"),
        ];
        let tempo = Tempo { first: Duration::from_millis(9), gap: Duration::from_millis(1), jitter: None };
        let acts = stream(frames, Some(&fault), frame(Role::Finish, "error"), tempo);
        let mut text = String::new();
        let mut last = None;
        for act in acts {
            match act {
                Act::Send { bytes, .. } => text.push_str(std::str::from_utf8(&bytes).unwrap()),
                Act::Wait(d) => text.push_str(&format!("<{}>", d.as_millis())),
                other => last = Some(other),
            }
        }
        (text.replace("\n\n", ";").replace("data: ", ""), last)
    }

    #[test]
    fn waits_come_before_tokens_and_not_before_lifecycle_frames() {
        assert_eq!(wire(Fault::NoUsage {}).0, "open;<9>one1;<1>two2;shut;fin;end;");
        assert_eq!(wire(Fault::SlowFirstToken { ms: 70 }).0, "open;<70>one1;<1>two2;shut;fin;end;");
    }

    #[test]
    fn an_interrupted_stream_keeps_so_many_tokens_and_never_its_finish() {
        assert_eq!(wire(Fault::Cut { after_tokens: 0 }), ("open;".to_owned(), Some(Act::End(Ending::Cut))));
        assert_eq!(wire(Fault::Stall { after_tokens: 1 }), ("open;<9>one1;".to_owned(), Some(Act::Hang)));
        let (text, last) = wire(Fault::ResetMid { after_tokens: 99 });
        assert_eq!((text.as_str(), last), ("open;<9>one1;<1>two2;shut;", Some(Act::End(Ending::Reset))));
        assert_eq!(wire(Fault::InStreamError { after_tokens: 1 }).0, "open;<9>one1;error;");
    }

    #[test]
    fn framing_faults_change_the_framing_only() {
        assert_eq!(
            wire(Fault::MalformedChunk { at: 1, count: 2 }).0,
            "open;<9>one1;tw;tw;<1>two2;shut;fin;end;"
        );
        assert_eq!(wire(Fault::DoubleFinish {}).0, "open;<9>one1;<1>two2;shut;fin;fin;end;");
        assert_eq!(wire(Fault::NoFinalNewline {}).0, "open;<9>one1;<1>two2;shut;fin;end");
        assert_eq!(wire(Fault::SplitFrames {}).0, "open;<9>one1;<1>two2;shut;fin;end;");
        assert!(wire(Fault::Comments {}).0.starts_with(": keep-alive;open;"));
        assert!(wire(Fault::CrlfFrames {}).0.starts_with("open\r\n\r\n"));
    }
}
