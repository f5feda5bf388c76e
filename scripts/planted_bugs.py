#!/usr/bin/env python3
"""Breaks the storage code on purpose, once for each loss class, and wants the test of that class to fail.

    scripts/planted_bugs.py          some of the bugs, one of each way that data is lost
    scripts/planted_bugs.py --long   all of them (also TALOSMQ_TEST_LENGTH=long)
    scripts/planted_bugs.py R06 R32  those of these classes

Works on a copy of the sources with a build of its own under build/planted-bugs, which the next run goes on with. A
bug is a piece of a source and what stands in its place; a piece that is no longer there once is an error of the
table below.
"""

import argparse
import dataclasses
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORK = ROOT / "build" / "planted-bugs"
COPY = WORK / "source"
BUILD = WORK / "build"
TEST_SECONDS = 300


@dataclasses.dataclass(frozen=True)
class Bug:
    loss: str  # The loss class or the guarantee in docs/guarantees.md.
    what: str
    file: str  # Below src, or, without a folder, below src/storage.
    sound: str
    broken: str
    program: str
    tests: str  # A filter; one of them fails at least.
    is_short: bool = False


BUGS = (
    Bug("R01", "a failed sync is forgotten", "direct_flush.cc",
        "write.status = MayBeStored(write.files->file->Sync());", "write.files->file->Sync().IgnoreError();",
        "storage_test", "LogTest.FailedSyncFencesTheLogAndIsNotTriedAgain"),
    Bug("R01", "what a failed sync left in the cache is synced and not written again", "tail_repair.cc",
        "if (is_new) TALOSMQ_RETURN_IF_ERROR(Rewrite(",
        "if (begin > segment.end_position) TALOSMQ_RETURN_IF_ERROR(Rewrite(",
        "storage_test", "RecoveryTest.WhatWasFoundAboveTheFlushedPointIsDurableOnceOpen"),
    Bug("R02", "a group is acknowledged from the page cache", "direct_flush.cc",
        "write.status = MayBeStored(write.files->file->Sync());", "",
        "storage_crash_test", "AllWays/StorageCrashTest.PowerIsCutAtEveryChange/Segments", is_short=True),
    Bug("R02", "the journal acknowledges from the page cache", "journal.cc",
        "TALOSMQ_RETURN_IF_ERROR(file_->Sync());", "",
        "storage_crash_test", "AllWays/StorageCrashTest.PowerIsCutAtEveryChange/Journal"),
    Bug("G1", "what a full disk took of a write-back is cut off with what lies behind", "deferred_flush.h",
        "OnFullDisk::kLeave", "OnFullDisk::kTakeBack",
        "storage_crash_test", "AllWays/FullDiskTest.RecoveryLosesNothing/Awaited*"),
    Bug("G1", "a torn group of the journal disowns what it was to carry on", "journaled_flush.cc",
        "dependencies_.journal.Append(group, oldest_sequence());", "dependencies_.journal.Append(group, 0);",
        "storage_test", "StrandedTest.*"),
    Bug("G1", "a torn group disowns what one log could not take at a start", "journal.cc",
        'base::StrCat(options_.directory, "/", kJournalTemporaryFileName)', "path",
        "storage_test", "Files/BadFileTest.*"),
    Bug("G1", "what waits for a log has no gap where it went straight to the segment", "journal_replay.cc",
        "if (write.end_offset != section.first_offset) {", "if (write.files == nullptr) {",
        "storage_test", "Files/BadFileTest.Gaps*"),
    Bug("R03", "the name of a new segment is not synced", "direct_flush.cc",
        "TALOSMQ_RETURN_IF_ERROR(file_system_.Open(path, io::OpenMode::kCreateNew).status());\n"
        "  TALOSMQ_RETURN_IF_ERROR(file_system_.SyncDirectory(files.directory));",
        "TALOSMQ_RETURN_IF_ERROR(file_system_.Open(path, io::OpenMode::kCreateNew).status());",
        "storage_crash_test", "AllWays/StorageCrashTest.PowerIsCutAtEveryChange/Segments"),
    Bug("R03", "the name of a new journal file is not synced", "journal.cc",
        "const absl::Status named = file_system_.SyncDirectory(options_.directory);", "const absl::Status named;",
        "storage_crash_test", "AllWays/StorageCrashTest.PowerIsCutAtEveryChange/Journal"),
    Bug("R04", "a torn batch stays behind the end", "tail_repair.cc",
        "if (is_long) TALOSMQ_RETURN_IF_ERROR(file->Truncate(segment.end_position));", "",
        "storage_test", "RecoveryTest.TornBatch*"),
    Bug("R04", "a torn batch is taken for a whole one", "batch_chain.cc",
        "const auto crc = record::VerifyCrc(batch); !crc.ok()",
        "const auto crc = record::VerifyCrc(batch); !crc.ok() && batch.empty()",
        "storage_test", "RecoveryTest.TornBatch*"),
    Bug("R05", "a stale block of the log's own is a batch", "batch_chain.cc",
        "if (is_dense ? header.base_offset != next_ : header.base_offset < next_) {",
        "if (!is_dense && header.base_offset < next_) {",
        "storage_test", "RecoveryTest.*:BrokenBatchTest.*"),
    Bug("R05", "a batch of an epoch that was cut is one of the log's", "batch_chain.cc",
        "if (!history_.empty() && header.epoch != EpochAt(history_, header.base_offset)) {", "if (false) {",
        "storage_test", "RecoveryTest.BatchThatWasCut*:RecoveryTest.BatchOf*"),
    Bug("R06", "damage below the flushed point is cut like a torn tail", "recovery_plan.cc",
        "if (is_below) return StopKind::kCorruption;", "static_cast<void>(is_below);",
        "storage_test", "RecoveryTest.DamageBehindTheLastRunAndBelowTheFlushedPointStays", is_short=True),
    Bug("R06", "rot in a group of the journal that was recorded as durable is cut like a torn one", "journal_reader.cc",
        "if (newest.group.sequence > recorded.newest) {", "{",
        "storage_test", "RecordedJournalTest.RotInTheNewestGroup*"),
    Bug("R07", "a journal that lacks its end is the whole one", "journal_reader.cc",
        "if (recorded.is_needed() && scan.last_sequence() < recorded.newest) {", "if (false) {",
        "storage_test", "RecordedJournalTest.JournalThatLacksNeededGroups*"),
    Bug("R07", "an entry of the checkpoint is believed whatever its checksum", "checkpoint.cc",
        "base::Crc32c(bytes.first(kEntryCrcPosition))) {\n    return false;",
        "base::Crc32c(bytes.first(kEntryCrcPosition))) {\n",
        "storage_test", "Files/FileDamageTest.OneBitFlippedInEachField/Checkpoint"),
    Bug("R07", "a lost identity of the journal is made anew", "journal.cc",
        "if (!JournalFileNumber(name)) continue;", "if (!name.empty()) continue;",
        "storage_test", "JournalTest.*"),
    Bug("R07", "an epoch file without an epoch is believed", "epoch_recovery.cc",
        "loaded.entries.empty() && !folder.segments.empty()", "loaded.entries.size() > 1'000'000",
        "storage_test", "Files/FileLossTest.CutAtAndAroundTheBorderOfEachRecord/Epochs"),
    Bug("R08", "an index of zeros is one", "segment_index.cc",
        "CrcOfEntry(segment, bytes.first(kEntryCrcPosition))) {\n    return std::nullopt;",
        "CrcOfEntry(segment, bytes.first(kEntryCrcPosition))) {\n",
        "storage_test", "RecoveryTest.AnyFlippedBitOfAnIndexRebuildsItAndHurtsNobody"),
    Bug("R09", "segments that compaction replaced come back", "log_folder.cc",
        "if (behind != compacted.begin() && std::prev(behind)->second.end > segment.base) return true;", "",
        "storage_crash_test", "BothWays/CompactionCrashTest.PowerIsCutAtEveryChange/*"),
    Bug("R09", "compaction takes the segment in which the recorded end lies", "local_log_cleanup.cc",
        "BeginCompaction(now, written_limit, std::move(done));",
        "BeginCompaction(now, std::min(written_end_, begun_segment_), std::move(done));",
        "storage_test", "CompactionTest.SegmentThatIsCompletedMeanwhileStays"),
    Bug("R09", "a compacted segment takes its place before it is synced", "compaction.cc",
        "TALOSMQ_RETURN_IF_ERROR(file_->Sync());", "",
        "storage_crash_test", "BothWays/CompactionCrashTest.PowerIsCutAtEveryChange/*"),
    Bug("R23", "a full disk is found out by the write alone", "disk_reserve.cc",
        "if (left < 2 * bytes_) {", "if (left < 0) {",
        "storage_test", "DiskReserveTest.*:FullDiskTest.*"),
    Bug("R23", "segments go by a move of the log start that could not be recorded", "checkpointer.cc",
        "if (recorded.ok()) PublishStarts(work);", "PublishStarts(work);",
        "storage_test", "LogStartTest.LogThatIsOpenedAgainStartsWhereTheDiskSays"),
    Bug("R24", "a clock that went back makes segments of its future old", "retention.cc",
        "now - begun[expired + 1] >= age_max) ++expired;",
        "absl::AbsDuration(now - absl::FromUnixMillis(segments[expired + 1].created_ms)) >= age_max) ++expired;",
        "storage_test", "PlanRetentionTest.*"),
    Bug("R25", "a search by time begins below the start of the log", "local_log.cc",
        "LogReader::TimeQuery{.time_ms = time_ms, .begin = begin, .limit = written}",
        "LogReader::TimeQuery{.time_ms = time_ms, .begin = {}, .limit = written}",
        "storage_test", "LogStartTest.*"),
    Bug("R25", "what is committed during a search by time makes none an offset", "broker/partition_reads.cc",
        "outcome.high_watermark = end;",
        "outcome.high_watermark = end < leader_.high_watermark() ? leader_.high_watermark() : end;",
        "broker_test", "FetchTest.TimeBehindAllRecords*"),
    Bug("R32", "the check of a run is not looked at", "run_verifier.cc",
        "if (check.value() != entry.check) {", "if (false) {",
        "inspect_test", "MisplacedBytesTest.*:Places/MisdirectedWriteTest.*", is_short=True),
    Bug("R36", "recovery reads the last segment from its beginning", "recovery_plan.cc",
        "plan.first_offset = segments[plan.first_segment].indexed_end;\n"
        "  plan.first_position = segments[plan.first_segment].indexed_position;",
        "plan.first_offset = segments[plan.first_segment].base;\n  plan.first_position = 0;",
        "storage_test", "RecoveryPlanTest.*:RecoveryTest.WorkIs*"),
    Bug("G5", "a commit is answered before it is durable", "broker/group_coordinator.cc",
        "if (!queue_.empty()) {\n    std::ranges::move(output.replies, std::back_inserter(queue_.back().replies));",
        "if (false) {\n    std::ranges::move(output.replies, std::back_inserter(queue_.back().replies));",
        "broker_test", "GroupTest.*"),
    Bug("G5", "the applied position of a view is saved before its data", "group/offset_view.cc",
        "  batch.Put(point_key_, EncodePoint(point));\n",
        "  kv::WriteBatch first;\n  first.Put(point_key_, EncodePoint(point));\n"
        "  TALOSMQ_RETURN_IF_ERROR(store_.Write(first, kv::Durability::kUnsynced));\n",
        "group_test", "OffsetViewTest.*"),
    Bug("G5", "a view older than what compaction has taken is believed", "broker/group_coordinator.cc",
        "!is_of_this_log || next < history.compacted_end", "!is_of_this_log", "broker_test", "GroupViewTest.*"),
    Bug("G5", "a view of another history is believed", "broker/group_coordinator.cc",
        "history.epoch_end && next <= *history.epoch_end;", "true;", "broker_test", "GroupViewTest.*"),
    Bug("G5", "a view that has failed takes what comes later", "group/offset_view.cc",
        "  TALOSMQ_RETURN_IF_ERROR(trouble_);\n", "", "broker_test", "GroupTest.WorksWithoutItsView"),
    Bug("G6", "a partition is handed over while its owner works on it", "group/native_group.cc",
        "if (!is_heard || std::ranges::binary_search(request.owned, owned.partition)) {", "if (!is_heard) {",
        "group_model_test", "*", is_short=True),
    Bug("G6", "the lease is judged by the wall clock", "group/native_group.cc",
        "deadlines_.TakeDue(now.monotonic)", "deadlines_.TakeDue(now.wall - absl::FromUnixSeconds(1'767'222'000))",
        "group_test", "CoordinatorTest.*"),
    Bug("G11", "a commit is not fenced", "group/native_group.cc",
        "if (owner->second.member != member) {", "if (false) {",
        "group_model_test", "*"),
    Bug("G11", "a commit with the generation of an earlier ownership is taken", "group/native_group.cc",
        "if (generation < owner->second.since || generation > record_.generation) {",
        "if (generation > record_.generation) {",
        "group_model_test", "*"),
    Bug("G11", "a classic commit of an earlier generation is taken", "group/classic_group.cc",
        "TALOSMQ_RETURN_IF_ERROR(CheckGeneration(committer.generation));", "",
        "classic_group_model_test", "*"),
    Bug("G6", "a partition is set free by who has not heard that it has it", "group/native_group.cc",
        "const bool is_heard = request.generation >= owned.since;",
        "const bool is_heard = request.generation >= 0;",
        "group_test", "CoordinatorTest.LateHeartbeat*"),
    Bug("G6", "a new coordinator begins no lease anew", "group/native_group.cc",
        "    member.lease_end = now.monotonic + member.record.lease;\n    member.topics",
        "    member.lease_end = now.monotonic;\n    member.topics",
        "group_model_test", "*"),
    Bug("G5", "who lost a partition to a reset can commit it", "group/native_group.cc",
        "if (owner->second.claim == Claim::kReclaimed) {", "if (false) {",
        "group_model_test", "*"),
    Bug("G5", "a new coordinator does not know what a reset has taken back", "group/native_group.cc",
        "Owner{.member = id, .since = owned.since, .claim = owned.claim}",
        "Owner{.member = id, .since = owned.since}",
        "group_model_test", "*"),
    Bug("G5", "offsets of a group with members expire", "group/coordinator.cc",
        "if (!group.is_idle() || group.record.emptied > until) continue;",
        "if (group.record.emptied > until) continue;",
        "group_model_test", "*"),
    Bug("G5", "a call that is refused turns the group over to its protocol", "group/coordinator.cc",
        "if (native && native->is_empty()) {", "if (false) {",
        "group_test", "CoordinatorTest.*"),
)


def run(command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                          **options)


def copy_sources():
    """What git knows and what is new; only what differs, so that the build goes on where it was."""
    listed = run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True).stdout
    for name in listed.splitlines():
        source, target = ROOT / name, COPY / name
        if not source.is_file():
            continue
        content = source.read_bytes()
        if target.is_file() and target.read_bytes() == content:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def configure():
    done = run(["cmake", "-G", "Ninja", "-S", COPY, "-B", BUILD, "-DCMAKE_BUILD_TYPE=None",
                "-DCMAKE_CXX_FLAGS=-O1 -D_GLIBCXX_ASSERTIONS", "-DTALOSMQ_GRPC=OFF", "-DTALOSMQ_BENCHMARKS=OFF"])
    if done.returncode != 0:
        sys.exit(done.stdout)


def build(programs, what):
    done = run(["cmake", "--build", BUILD, "-j", str(os.cpu_count()), "--target", *sorted(programs)])
    if done.returncode != 0:
        sys.exit("\n".join([f"{what} does not build:", *done.stdout.splitlines()[-40:]]))


def passes(bug):
    """Whether the tests of the bug pass; an error when there are none."""
    command = [BUILD / "bin" / bug.program, f"--gtest_filter={bug.tests}"]
    try:
        done = run(command, cwd=WORK, timeout=TEST_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    if "[ RUN      ]" not in done.stdout:
        sys.exit(f"{bug.loss}: {bug.program} has no test {bug.tests}")
    return done.returncode == 0


def plant(bug):
    """Whether a test fails for it. The copy is sound again afterwards."""
    file = bug.file if "/" in bug.file else f"storage/{bug.file}"
    path = COPY / "src" / file
    content = path.read_text()
    if content.count(bug.sound) != 1:
        sys.exit(f"{bug.loss}: expected once in src/{file}, found {content.count(bug.sound)} times:\n"
                 f"{bug.sound}")
    path.write_text(content.replace(bug.sound, bug.broken))
    try:
        build({bug.program}, f"{bug.loss}: {bug.what}")
        return not passes(bug)
    finally:
        path.write_text(content)


def chosen_bugs():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", action="store_true", default=os.environ.get("TALOSMQ_TEST_LENGTH") == "long")
    parser.add_argument("classes", nargs="*", metavar="CLASS")
    arguments = parser.parse_args()
    unknown = set(arguments.classes) - {bug.loss for bug in BUGS}
    if unknown:
        parser.error(f"no bug is known of {', '.join(sorted(unknown))}")
    if arguments.classes:
        return [bug for bug in BUGS if bug.loss in arguments.classes]
    return [bug for bug in BUGS if arguments.long or bug.is_short]


def main():
    bugs = chosen_bugs()
    WORK.mkdir(parents=True, exist_ok=True)
    copy_sources()
    configure()
    build({bug.program for bug in bugs}, "the copy without a bug")
    for bug in bugs:
        if not passes(bug):
            sys.exit(f"{bug.loss}: {bug.tests} fails without the bug")
    unnoticed = 0
    for bug in bugs:
        is_noticed = plant(bug)
        unnoticed += not is_noticed
        print(f"{bug.loss}  {'noticed' if is_noticed else 'NOT NOTICED':12} {bug.what} ({bug.tests})", flush=True)
    sys.exit(f"{unnoticed} of {len(bugs)} bugs were not noticed" if unnoticed else 0)


if __name__ == "__main__":
    main()
