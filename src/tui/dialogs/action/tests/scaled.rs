//! Another number of instances, asked for by keys and by name.

use super::*;
use crate::model::command::Scale;
use crate::model::operation::PlanKind;
use crate::tui::available;

/// A console that looks at a service of which so many instances run.
fn with(instances: Option<u32>) -> Console {
    let mut world = testing::at_rest();
    for inventory in world.platforms.values_mut() {
        inventory.instances = instances;
    }
    world.read_platform("checkout");
    Console::new(world)
}

/// One of which 4 run, with this line typed and answered.
fn asked(line: &str) -> Console {
    let mut console = with(Some(4));
    console.keys(":");
    console.typed(line);
    let effects = console.keys("Enter");
    console.answer(&effects);
    console
}

/// As many as are named: the question says what runs, takes the name, and is the engine's own plan; what runs otherwise by then is
/// not asked for.
#[test]
fn as_many_as_are_named() {
    let mut console = asked("scale checkout 6");
    assert!(console.says("6 instances of checkout; 4 are asked for now"), "{}", console.seen((120, 40)));
    assert!(console.says("run 6 instances, now 4"), "{}", console.seen((120, 40)));
    console.typed("the sale has begun");
    console.keys("Tab");
    console.typed("checkout");
    let effects = console.keys("y");
    let Some(Command::Scale(Scale { instances, seen, reason, .. })) = sent(&effects) else {
        panic!("{}", console.seen((120, 40)))
    };
    assert_eq!((instances, seen, reason.as_str()), (6, Some(4), "the sale has begun"));
    console.world.send(sent(&effects).unwrap());
    console.world.done();
    let state = console.world.picture().live.state.clone();
    let operation = state.operations_in_order().last().unwrap();
    assert_eq!(operation.plan.kind, PlanKind::Scale { instances: 6 });
    assert!(!operation.is_open(), "{:?}", operation.status);
}

/// Somebody else was quicker: that is said, and nothing is confirmed.
#[test]
fn another_number_meanwhile() {
    let mut console = asked("scale checkout 6");
    for inventory in console.world.platforms.values_mut() {
        inventory.instances = Some(8);
    }
    console.world.read_platform("checkout");
    console.look();
    assert!(console.says("8 instances run now"), "{}", console.seen((120, 40)));
    console.typed("more");
    console.keys("Tab");
    console.typed("checkout");
    assert_eq!(sent(&console.keys("y")), None);
}

/// What cannot be is said before anything is asked.
#[test]
fn what_cannot_be() {
    let console = with(None);
    let why = available::scale(&Scene::new(&console.picture, &console.ui)).unwrap_err();
    assert!(why.contains("does not tell how many"), "{why}");
    for (line, words) in [
        ("scale checkout 4", "4 instances run already"),
        ("scale checkout many", "many is no number"),
        ("scale checkout", "4 run; say how many are to, like :scale checkout 5"),
    ] {
        let console = asked(line);
        let said = console.ui.toast.as_ref().map(|toast| toast.text.clone()).unwrap_or_default();
        assert!(said.contains(words), "{line}: {said}");
    }
}
