//! The short forms of `scripts/store-flips` and its neighbours (R-17 to R-19, and power cuts): the same program, fewer
//! cases.

use std::process::Command;

use crate::support::environment;

/// Runs a loop of the fault harness, which ends well only when nothing is lost, wrong or old without a word.
fn runs(name: &str, cases: usize) {
    let Some(program) = environment::fault_harness() else {
        return;
    };
    let scratch = tempfile::tempdir().unwrap();
    let output = Command::new(program)
        .args([name, "--cases", &cases.to_string(), "--scratch"])
        .arg(scratch.path())
        .output()
        .expect("the harness runs");
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{errors}");
    assert!(
        said.contains("0 failed") || said.contains("SKIPPED"),
        "{said}"
    );
}

#[test]
fn a_flipped_bit_never_loses_a_record_in_silence() {
    runs("flips", 40);
}

#[test]
fn a_torn_file_never_loses_a_record_in_silence() {
    runs("torn", 20);
}

#[test]
fn a_failing_system_call_never_ends_in_a_false_acknowledgement() {
    runs("syscalls", 40);
}

#[test]
fn a_power_cut_loses_no_acknowledged_write() {
    runs("power-cuts", 4);
}
