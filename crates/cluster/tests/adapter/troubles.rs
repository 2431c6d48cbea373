//! Trouble at every single write of a story, one at a time: the end is the same, and requests never go where no pod is.

use serde_json::{Value, json};
use serin_cluster::Settings;

use crate::server::{Server, Trouble};
use crate::stage::{Watchman, blue_green, is, outcome, play, routed, set_image};

/// What happens at a write.
#[derive(Debug, Clone, Copy)]
pub(crate) enum At {
    /// The controller is killed before it is carried out.
    KillBefore,
    /// The controller is killed after it was carried out.
    KillAfter,
    /// Somebody else was faster.
    Conflict,
    /// The server is in trouble.
    Unavailable,
    /// It is carried out and the answer is lost.
    LostAnswer,
}

pub(crate) const ALL: [At; 5] = [At::KillBefore, At::KillAfter, At::Conflict, At::Unavailable, At::LostAnswer];

impl At {
    pub(crate) fn prepare(self, server: &Server, nth: u32) {
        let trouble = |trouble| {
            for verb in ["create", "update", "patch", "delete"] {
                server.trouble(
                    verb,
                    "",
                    nth,
                    match &trouble {
                        Trouble::Refuse(code, reason, message) => Trouble::Refuse(*code, reason, message),
                        _ => Trouble::LoseAnswer,
                    },
                );
            }
        };
        match self {
            Self::KillBefore => server.freeze_at(nth, false),
            Self::KillAfter => server.freeze_at(nth, true),
            Self::Conflict => trouble(Trouble::Refuse(409, "Conflict", "the object has been modified")),
            Self::Unavailable => trouble(Trouble::Refuse(503, "ServiceUnavailable", "not now")),
            Self::LostAnswer => trouble(Trouble::LoseAnswer),
        }
    }
}

/// A story: what there is, and what happens.
struct Story {
    name: &'static str,
    objects: fn() -> Vec<Value>,
}

/// Plays the story with trouble at one write, if any. Returns the end and how many writes there were after the install.
async fn told(story: &Story, trouble: Option<(At, u32)>) -> (Value, usize) {
    let server = Server::start().await;
    (story.objects)().into_iter().for_each(|object| _ = server.put(object));
    let watchman = Watchman::default();
    let script = async || {
        is(&server, story.name, "Healthy").await;
        server.forget_calls();
        watchman.begin();
        if let Some((at, nth)) = trouble {
            at.prepare(&server, nth);
        }
        set_image(&server, story.name, "model:2");
        is(&server, story.name, "Healthy").await;
        let expected =
            |server: &Server| outcome(server, story.name)["pools"][0][1] != outcome(server, story.name)["pools"][1][1];
        server.until("the old pods are gone", expected).await;
        settled(&server).await;
    };
    let end = async {
        play(&server, Settings::default(), script).await;
        (outcome(&server, story.name), server.writes().len())
    };
    tokio::select! {
        end = end => {
            assert_eq!(watchman.seen(), [""; 0], "{} with {trouble:?}", story.name);
            end
        }
        () = watchman.watch(&server, story.name) => unreachable!("it watches for ever"),
    }
}

/// Waits until nothing is written any more.
async fn settled(server: &Server) {
    let mut before = usize::MAX;
    while before != server.written().len() {
        before = server.written().len();
        tokio::time::sleep(std::time::Duration::from_millis(150)).await;
    }
}

async fn every_write(story: &Story) {
    let (wanted, writes) = told(story, None).await;
    assert!(writes > 5, "{writes} writes make no story");
    for at in ALL {
        let numbers: Vec<u32> = (1..=u32::try_from(writes).unwrap()).collect();
        for chunk in numbers.chunks(8) {
            let runs = chunk.iter().map(|nth| told(story, Some((at, *nth))));
            for (nth, (end, _)) in chunk.iter().zip(futures::future::join_all(runs).await) {
                assert_eq!(end, wanted, "{at:?} at write {nth} of {}", story.name);
            }
        }
    }
}

#[tokio::test]
async fn trouble_at_every_write_of_a_routed_canary() {
    let objects = || routed("taste", "model:1", &json!([{ "setWeight": 25 }, { "setWeight": 50 }]));
    every_write(&Story { name: "taste", objects }).await;
}

#[tokio::test]
async fn trouble_at_every_write_of_a_blue_green_switch() {
    every_write(&Story { name: "taste", objects: || blue_green("taste", "model:1") }).await;
}
