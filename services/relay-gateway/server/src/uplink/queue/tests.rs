//! What waits for a child: in order, merged, bounded.

use tributary_relay_uplink::PayloadReceiver;

use super::*;

/// Everything that goes down, as the child understands it: link and text.
fn drain(queue: &Queue, payloads: &mut PayloadReceiver) -> (Vec<(u32, String)>, usize) {
    let (mut heard, mut messages) = (Vec::new(), 0);
    while let Some(message) = queue.next() {
        messages += 1;
        match message.body.unwrap() {
            Body::Deliver(deliver) => {
                let payload = payloads.take(deliver.payload_id, deliver.payload).unwrap();
                let text = String::from_utf8(payload.to_vec()).unwrap();
                heard.extend(deliver.link_ids.into_iter().map(|link| (link, text.clone())));
            }
            Body::CloseLink(close) => heard.push((close.link_id, format!("close {}", close.code))),
            Body::Place(place) => heard.push((0, format!("place {}", place.place_id))),
            other => panic!("{other:?}"),
        }
    }
    (heard, messages)
}

fn of(heard: &[(u32, String)], link: u32) -> Vec<&str> {
    heard.iter().filter(|(of, _)| *of == link).map(|(_, text)| text.as_str()).collect()
}

async fn many(queue: &Queue, link: u32, payload: &Bytes) {
    queue.deliver(link, payload.clone(), Audience::Many).await.unwrap();
}

async fn one(queue: &Queue, link: u32, text: &'static str) {
    queue.deliver(link, Bytes::from_static(text.as_bytes()), Audience::One).await.unwrap();
}

#[tokio::test]
async fn what_is_for_many_goes_once_and_every_link_has_its_order() {
    let queue = Queue::default();
    let mut payloads = PayloadReceiver::default();
    let (first, second) = (Bytes::from_static(b"first"), Bytes::from_static(b"second"));
    many(&queue, 1, &first).await;
    many(&queue, 1, &second).await;
    many(&queue, 2, &first).await;
    one(&queue, 3, "own").await;
    many(&queue, 2, &second).await;
    // After something of its own, the link can't go into what waits before that.
    many(&queue, 3, &first).await;
    many(&queue, 3, &second).await;
    let (heard, messages) = drain(&queue, &mut payloads);
    assert_eq!(of(&heard, 1), ["first", "second"]);
    assert_eq!(of(&heard, 2), ["first", "second"]);
    assert_eq!(of(&heard, 3), ["own", "first", "second"]);
    assert_eq!(messages, 5);
}

#[tokio::test]
async fn who_must_not_wait_is_told_that_there_is_no_room() {
    let queue = Queue::default();
    let large = Bytes::from(vec![b'x'; DELIVER_BYTES_MAX / 4]);
    for _ in 0..3 {
        assert_eq!(queue.offer(1, &large, Audience::One), Ok(true));
    }
    assert_eq!(queue.offer(1, &large, Audience::One), Ok(false));
    // Nothing has come of it, and nothing is lost by it.
    let (heard, _) = drain(&queue, &mut PayloadReceiver::default());
    assert_eq!(heard.len(), 3);
    queue.end();
    assert_eq!(queue.offer(1, &large, Audience::One), Err(Over));
}

#[tokio::test]
async fn what_has_gone_already_is_only_referred_to() {
    let queue = Queue::default();
    let mut payloads = PayloadReceiver::default();
    let event = Bytes::from(vec![b'x'; 10_000]);
    many(&queue, 1, &event).await;
    assert_eq!(drain(&queue, &mut payloads).0.len(), 1);
    many(&queue, 2, &event).await;
    let message = queue.next().unwrap();
    let Some(Body::Deliver(deliver)) = message.body else { panic!("not delivered") };
    assert!(deliver.payload.is_empty() && deliver.payload_id != 0);
    assert_eq!(payloads.take(deliver.payload_id, deliver.payload), Ok(event));
}

#[tokio::test]
async fn media_is_in_force_before_what_comes_after_it() {
    let queue = Queue::default();
    let event = Bytes::from_static(b"talk");
    many(&queue, 1, &event).await;
    queue.push(Some(2), Item::Place(Place { place_id: 7, body: None })).unwrap();
    // The same payload waits before the place: the link must not jump over it.
    many(&queue, 2, &event).await;
    let (heard, _) = drain(&queue, &mut PayloadReceiver::default());
    let texts: Vec<_> = heard.iter().map(|(link, text)| (*link, text.as_str())).collect();
    assert_eq!(texts, [(1, "talk"), (0, "place 7"), (2, "talk")]);
}

#[tokio::test]
async fn what_was_not_acknowledged_comes_again() {
    let queue = Queue::default();
    one(&queue, 1, "a").await;
    one(&queue, 1, "b").await;
    queue.push(Some(1), Item::Close { code: 1000 }).unwrap();
    let numbers = || std::iter::from_fn(|| queue.next()).map(|m| m.sequence).collect::<Vec<_>>();
    assert_eq!(numbers(), [1, 2, 3]);
    assert_eq!(numbers(), [0; 0]);
    queue.resume(1).unwrap();
    assert_eq!(numbers(), [2, 3]);
    assert!(queue.acknowledge(9).is_err());
    queue.acknowledge(3).unwrap();
    assert!(queue.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_child_that_takes_nothing_is_cut_and_one_that_is_slow_is_not() {
    let queue = Queue::default();
    let _taking = queue.taking();
    let piece = Bytes::from(vec![0; 64 << 10]);
    let mut pieces = 0;
    // Slow: what is taken is acknowledged a bit later.
    while pieces < 200 {
        let delivered = queue.deliver(1, piece.clone(), Audience::One);
        let slow = async {
            tokio::time::sleep(STUCK_MAX / 2).await;
            let mut last = 0;
            while let Some(message) = queue.next() {
                last = message.sequence;
            }
            queue.acknowledge(last).unwrap();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            delivered = delivered => delivered.unwrap(),
            () = slow => {}
        }
        pieces += 1;
    }
    let mut more = 0;
    while queue.deliver(1, piece.clone(), Audience::One).await.is_ok() {
        more += 1;
    }
    assert!(more <= UNACKNOWLEDGED_BYTES_MAX / piece.len(), "{more}");
    assert!(queue.is_over());
    assert_eq!(queue.push(None, Item::Close { code: 1000 }), Err(Over));
}

#[tokio::test(start_paused = true)]
async fn a_child_that_takes_a_little_now_and_then_is_cut_all_the_same() {
    let queue = Queue::default();
    let _taking = queue.taking();
    let small = Bytes::from(vec![0; 4 << 10]);
    while queue.state().bytes() + small.len() + ENTRY_BYTES <= DELIVER_BYTES_MAX {
        queue.deliver(1, small.clone(), Audience::One).await.unwrap();
    }
    while queue.next().is_some() {}
    let began = Instant::now();
    let trickling = async {
        for number in 1.. {
            tokio::time::sleep(STUCK_MAX / 5).await;
            queue.acknowledge(number).unwrap();
        }
    };
    // There is room for it after sixteen acknowledgements.
    let delivered = tokio::select! {
        delivered = queue.deliver(1, vec![0; 64 << 10].into(), Audience::One) => delivered,
        () = trickling => unreachable!(),
    };
    assert_eq!(delivered, Err(Over));
    assert!(queue.is_over() && began.elapsed() < STUCK_MAX + STUCK_MAX / 5);
}

#[test]
fn what_must_not_wait_has_room_until_all_of_it_is_used() {
    let queue = Queue::default();
    let mut pushed = 0;
    while queue.push(Some(1), Item::Close { code: 1000 }).is_ok() {
        pushed += 1;
        assert!(pushed < UNACKNOWLEDGED_BYTES_MAX);
    }
    assert!(pushed > 10_000 && queue.is_over() && queue.next().is_none());
}

#[tokio::test]
async fn a_message_larger_than_the_bound_passes_when_nothing_else_waits() {
    let queue = Queue::default();
    let _taking = queue.taking();
    let large = Bytes::from(vec![b'x'; 2 * UNACKNOWLEDGED_BYTES_MAX]);
    one(&queue, 1, "before").await;
    let delivering = queue.deliver(1, large.clone(), Audience::One);
    let taking = async {
        let first = queue.next().unwrap();
        tokio::task::yield_now().await;
        assert!(queue.next().is_none(), "it waits for what is on its way");
        queue.acknowledge(first.sequence).unwrap();
    };
    let (delivered, ()) = tokio::join!(delivering, taking);
    assert_eq!(delivered, Ok(()));
    // What must not wait has room beside it.
    queue.push(Some(1), Item::Close { code: 1000 }).unwrap();
    let (heard, messages) = drain(&queue, &mut PayloadReceiver::default());
    assert_eq!((heard[0].1.len(), heard[1].1.as_str(), messages), (large.len(), "close 1000", 2));
    queue.acknowledge(3).unwrap();
    assert!(queue.is_empty() && !queue.is_over());
}

/// Fills a queue; the next message has to wait.
async fn fill(queue: &Queue, piece: &Bytes) {
    while queue.state().bytes() + cost_of_payload(piece) <= DELIVER_BYTES_MAX {
        queue.deliver(1, piece.clone(), Audience::One).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn time_without_a_connection_does_not_count() {
    let queue = Queue::default();
    let piece = Bytes::from(vec![0; 64 << 10]);
    fill(&queue, &piece).await;
    let began = Instant::now();
    let flapping = async {
        // Never there for long, and nothing is taken.
        for _ in 0..4 {
            tokio::time::sleep(STUCK_MAX * 5).await;
            let taking = queue.taking();
            tokio::time::sleep(STUCK_MAX / 5).await;
            drop(taking);
        }
        assert!(!queue.is_over());
        let _taking = queue.taking();
        std::future::pending().await
    };
    let delivered = tokio::select! {
        delivered = queue.deliver(1, piece.clone(), Audience::One) => delivered,
        () = flapping => unreachable!(),
    };
    assert_eq!(delivered, Err(Over), "in all it was there for long enough");
    assert!(began.elapsed() >= STUCK_MAX * 20);
}

#[tokio::test(start_paused = true)]
async fn who_takes_enough_is_slow_and_not_stuck() {
    let queue = Queue::default();
    let _taking = queue.taking();
    let piece = Bytes::from(vec![0; 32 << 10]);
    fill(&queue, &piece).await;
    while queue.next().is_some() {}
    let began = Instant::now();
    let slowly = async {
        for number in 1.. {
            tokio::time::sleep(STUCK_MAX / 5).await;
            queue.acknowledge(number).unwrap();
        }
    };
    // There is room for it after half a minute.
    let large = Bytes::from(vec![0; 1 << 20]);
    tokio::select! {
        delivered = queue.deliver(1, large, Audience::One) => assert_eq!(delivered, Ok(())),
        () = slowly => unreachable!(),
    }
    assert!(began.elapsed() > 5 * STUCK_MAX && !queue.is_over());
}
