//! Lists of many objects: page by page, anew when a page was too slow, and never more often than that.

use std::time::Duration;

use serde_json::json;
use serin_cluster::Settings;
use serin_cluster::resource::{ROLLOUT, SERVICE};
use serin_spec::wire::keys::{HASH_LABEL, MANAGED_BY};

use crate::server::{Server, Trouble};
use crate::stage::{SHOP, blue_green, is, play, service, set_image};

/// A blue-green rollout whose services are the last ones of a long list.
fn many(server: &Server) {
    (0..250).for_each(|n| _ = server.put(service(&format!("other-{n:03}"), "other")));
    blue_green("taste", "model:1").into_iter().for_each(|object| _ = server.put(object));
}

/// How the services were asked for: `list limit` or `list limit continue` with what was answered, or `watch`.
fn asked(server: &Server) -> Vec<String> {
    let calls = server.calls().into_iter().filter(|call| call.path == "/api/v1/services");
    let told = |query: &str| {
        let limit = query.split('&').find_map(|part| part.strip_prefix("limit=")).unwrap_or_default().to_owned();
        if query.contains("continue=") { limit + " continue" } else { limit }
    };
    calls.map(|call| format!("{} {} {}", call.verb, told(&call.query), call.code).replace("  ", " ")).collect()
}

#[tokio::test]
async fn a_long_list_comes_in_pages_and_once() {
    let server = Server::start().await;
    many(&server);
    play(&server, Settings::default(), async || {
        is(&server, "taste", "Healthy").await;
        // What happens to an object of the last page is heard.
        server.edit(SERVICE, SHOP, "taste-active", |one| one["spec"]["selector"][HASH_LABEL] = "elsewhere".into());
        let selected = |server: &Server| {
            server.get(SERVICE, SHOP, "taste-active").unwrap()["spec"]["selector"][HASH_LABEL].clone()
        };
        server.until("it is turned back", |server| selected(server) != "elsewhere").await;
    })
    .await;
    assert_eq!(asked(&server), ["list 100 200", "list 100 continue 200", "list 100 continue 200", "watch 200"]);
}

#[tokio::test]
async fn a_list_whose_place_was_forgotten_is_made_anew_in_larger_pages() {
    let server = Server::start().await;
    many(&server);
    server.trouble(
        "list",
        "/services",
        3,
        Trouble::Refuse(410, "Expired", "the provided continue parameter is too old"),
    );
    play(&server, Settings::default(), async || {
        is(&server, "taste", "Healthy").await;
        // Long enough for whoever would ask again and again.
        tokio::time::sleep(Duration::from_millis(600)).await;
    })
    .await;
    let pages = ["list 100 200", "list 100 continue 200", "list 100 continue 410", "list 800 200", "watch 200"];
    assert_eq!(asked(&server), pages);
}

/// The server forgets where the watch stood while nobody is connected, and an object goes and another one changes meanwhile.
#[tokio::test]
async fn what_went_and_changed_while_a_watch_was_away_is_found_by_the_list_after_it() {
    let server = Server::start().await;
    many(&server);
    play(&server, Settings::default(), async || {
        is(&server, "taste", "Healthy").await;
        server.forget_calls();
        server.always("watch", "/", Trouble::Refuse(503, "ServiceUnavailable", "it restarts"));
        server.cut();
        server.remove(SERVICE, SHOP, "taste-preview");
        set_image(&server, "taste", "model:2");
        server.compact();
        server.calm();
        let told = |server: &Server| {
            let rollout = server.get(ROLLOUT, SHOP, "taste").unwrap();
            rollout["status"]["message"].as_str().is_some_and(|message| message.contains("taste-preview"))
        };
        server.until("the missing service is told of", told).await;
    })
    .await;
    let lists = asked(&server).into_iter().filter(|call| call.starts_with("list")).collect::<Vec<_>>();
    assert_eq!(lists, ["list 100 200", "list 100 continue 200", "list 100 continue 200"]);
}

/// Its rollout went while no controller ran, and services are known before rollouts are.
//= compat: 2.11-7
#[tokio::test]
async fn a_service_whose_rollout_has_gone_is_given_back_whichever_is_listed_first() {
    let server = Server::start().await;
    let mut left = service("taste-active", "taste");
    left["metadata"]["annotations"] = json!({ MANAGED_BY: "taste" });
    left["spec"]["selector"][HASH_LABEL] = "old".into();
    server.put(left);
    server.trouble("list", "/rollouts", 1, Trouble::Delay(Duration::from_millis(300)));
    play(&server, Settings::default(), async || {
        let selector = |server: &Server| server.get(SERVICE, SHOP, "taste-active").unwrap()["spec"]["selector"].clone();
        server.until("it is given back", |server| selector(server) == json!({ "app": "taste" })).await;
    })
    .await;
}
