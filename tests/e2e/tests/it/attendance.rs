//! Who was there, through which relay, from when to when: the same report before and after a restart of
//! the registry, for administrators and for the host.

use std::time::Duration;

use tributary_contracts::registry::v1::AttendanceFormat;
use tributary_harness::{Service, wait};

use crate::room::{DEADLINE, Room, knows};

#[tokio::test(flavor = "multi_thread")]
async fn the_report_tells_every_stay_and_is_rebuilt_from_the_log() {
    let mut room = Room::open().await;
    let id = room.id.to_string();
    let host = room.host(0).await;
    let grace = room.guest(1, "Grace, Rear Admiral").await;
    let first = grace.participant_id();
    knows(&host, |snapshot| snapshot.roster.len() == 2).await;
    grace.check_in().await.unwrap();
    grace.check_in().await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    grace.leave().await;
    knows(&host, |snapshot| snapshot.roster.len() == 1).await;
    let linus = room.guest(0, "Linus").await;
    knows(&host, |snapshot| snapshot.roster.len() == 2).await;

    let before = room.directory.attendance(&id).await.unwrap();
    assert_eq!(before.len(), 3, "{before:?}");
    let gone = before.iter().find(|one| one.participant_id == first.0).unwrap();
    assert_eq!((gone.stays.len(), gone.checked_in_at.len()), (1, 2), "{gone:?}");
    assert!((1_200..60_000).contains(&gone.present_ms), "{gone:?}");
    let stay = &gone.stays[0];
    assert_eq!(stay.relay_name, room.world.relay_name(1).unwrap());
    assert!(stay.to.is_some() && !stay.inferred, "{stay:?}");

    room.world.kill(Service::MeetingRegistry).await.unwrap();
    room.world.start_service(Service::MeetingRegistry).await.unwrap();
    wait::until("the registry to know everybody again", DEADLINE, || async {
        room.directory.roster(&id).await.is_ok_and(|roster| roster.len() == 2)
    })
    .await
    .unwrap();
    let after = room.directory.attendance(&id).await.unwrap();
    for (before, after) in before.iter().zip(&after) {
        // A restart neither ends nor splits a stay.
        assert_eq!(before.stays, after.stays);
        assert_eq!(before.checked_in_at, after.checked_in_at);
        assert!(after.present_ms >= before.present_ms);
    }

    let csv = room.directory.attendance_text(&id, AttendanceFormat::Csv).await.unwrap();
    let lines: Vec<_> = csv.split("\r\n").filter(|line| !line.is_empty()).collect();
    assert_eq!(lines.len(), 4, "{csv}");
    let line = lines.iter().find(|line| line.contains("Rear Admiral")).unwrap();
    assert!(line.contains("\"Grace, Rear Admiral\""), "{line}");
    assert!(line.contains(room.world.relay_name(1).unwrap()), "{line}");
    let json = room.directory.attendance_text(&id, AttendanceFormat::Json).await.unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(json.to_string().contains("Grace, Rear Admiral"), "{json}");
    linus.leave().await;
}
