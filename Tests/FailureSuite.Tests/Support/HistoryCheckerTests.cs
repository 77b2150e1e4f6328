using AspireStreaming.TestSupport.Histories;

namespace AspireStreaming.FailureSuite.Tests.Support;

/// <summary>The judge is judged first: each way to break the promise must be seen.</summary>
public sealed class HistoryCheckerTests
{
    private const string Stream = "s";

    private readonly History _history = new();

    [Fact]
    public void Check_everything_seen_and_archived_is_clean()
    {
        Acknowledge("a", 1, 5);
        Acknowledge("b", 1, 6);
        var track = Follow(("a", "1-5"), ("b", "1-6"));

        var report = HistoryChecker.Check(_history, [Row("a", 1, 5), Row("b", 1, 6)]);

        // The first event that it has is not the stream's first, which nothing announced.
        Assert.Equal(FindingKind.UnannouncedGap, Assert.Single(report.Findings).Kind);
        Assert.Equal(2, track.Count);
        Assert.Equal((2, 2, 2), (report.Acknowledged, report.Delivered, report.Archived));
    }

    [Fact]
    public void Check_from_the_first_event_on_is_clean()
    {
        Acknowledge("a", 1, 1);
        Acknowledge("b", 1, 2);
        Follow(("a", "1-1"), ("b", "1-2"));

        Assert.Empty(HistoryChecker.Check(_history, [Row("a", 1, 1), Row("b", 1, 2)]).Findings);
    }

    [Fact]
    public void Check_event_that_never_came_is_lost()
    {
        Acknowledge("a", 1, 1);
        Acknowledge("b", 1, 2);
        Follow(("a", "1-1"));

        Assert.Equal(FindingKind.Lost, Only(HistoryChecker.Check(_history)));
        Assert.False(_history.IsDelivered());
    }

    [Fact]
    public void Check_skipped_event_is_lost_and_its_gap_unannounced()
    {
        Acknowledge("a", 1, 1);
        Acknowledge("b", 1, 2);
        Acknowledge("c", 1, 3);
        Follow(("a", "1-1"), ("c", "1-3"));

        var report = HistoryChecker.Check(_history);

        Assert.Equal([FindingKind.UnannouncedGap, FindingKind.Lost], report.Findings.Select(finding => finding.Kind));
    }

    [Fact]
    public void Check_announced_gap_is_noted_and_no_fault()
    {
        Acknowledge("a", 1, 1);
        Acknowledge("b", 1, 2);
        Acknowledge("c", 1, 3);
        var track = Follow(("a", "1-1"));
        track.Control("stream.gap", """{"stream":"s","from":"1-1","to":"1-2","missed":1,"reason":"trimmed"}""");
        track.Event("1-3", "c");

        var report = HistoryChecker.Check(_history);

        Assert.Equal(FindingKind.AnnouncedMissing, Only(report));
        Assert.True(report.IsClean);
        Assert.True(_history.IsDelivered());
    }

    [Fact]
    public void Check_proven_epoch_border_is_clean_and_an_unannounced_one_is_not()
    {
        Acknowledge("a", 1, 1);
        Acknowledge("b", 9, 2);
        var told = Follow(("a", "1-1"));
        told.Control("stream.epoch", """{"stream":"s","previous":"1-1","current":"9-2","missed":0}""");
        told.Event("9-2", "b");
        Assert.Empty(HistoryChecker.Check(_history).Findings);

        Follow(("a", "1-1"), ("b", "9-2"));

        Assert.Equal(FindingKind.UnannouncedGap, Only(HistoryChecker.Check(_history)));
    }

    [Fact]
    public void Check_epoch_border_that_claims_continuity_from_elsewhere_is_a_gap()
    {
        Acknowledge("a", 1, 1);
        Acknowledge("b", 1, 2);
        Acknowledge("c", 9, 3);
        var track = Follow(("a", "1-1"));
        track.Control("stream.epoch", """{"stream":"s","previous":"1-2","current":"9-3","missed":0}""");
        track.Event("9-3", "c");

        var report = HistoryChecker.Check(_history);

        Assert.Equal([FindingKind.UnannouncedGap, FindingKind.Lost], report.Findings.Select(finding => finding.Kind));
    }

    [Fact]
    public void Check_event_that_came_twice_is_duplicated()
    {
        Acknowledge("a", 1, 1);
        Follow(("a", "1-1"), ("a", "1-1"));

        Assert.Contains(HistoryChecker.Check(_history).Findings, finding => finding.Kind == FindingKind.Duplicated);
    }

    [Fact]
    public void Check_position_that_falls_is_reordered()
    {
        Acknowledge("a", 1, 1);
        Acknowledge("b", 1, 2);
        Follow(("a", "1-1"), ("b", "1-2"), ("c", "1-1"));
        _history.Send(Stream, ["c"]);

        var kinds = HistoryChecker.Check(_history).Findings.Select(finding => finding.Kind).ToArray();

        Assert.Contains(FindingKind.Reordered, kinds);
        Assert.Contains(FindingKind.PositionReused, kinds);
    }

    [Fact]
    public void Check_event_elsewhere_than_acknowledged_is_moved_unless_it_says_where_it_was()
    {
        Acknowledge("a", 1, 1);
        var honest = Follow();
        honest.Control("stream.gap", """{"stream":"s","from":"0-0","to":"2-4","missed":null,"reason":"epoch"}""");
        honest.Event("2-5", "a", "1-1");
        Assert.Empty(HistoryChecker.Check(_history).Findings);

        var silent = Follow();
        silent.Control("stream.gap", """{"stream":"s","from":"0-0","to":"2-4","missed":null,"reason":"epoch"}""");
        silent.Event("2-5", "a");

        Assert.Equal(FindingKind.Moved, Only(HistoryChecker.Check(_history)));
    }

    [Fact]
    public void Check_subscriber_that_has_ended_is_owed_nothing_behind_its_last_event()
    {
        Acknowledge("a", 1, 1);
        Acknowledge("b", 1, 2);
        Follow(("a", "1-1")).Close();

        Assert.Empty(HistoryChecker.Check(_history).Findings);
        Assert.True(_history.IsDelivered());
    }

    [Fact]
    public void Check_recorded_time_that_falls_is_seen()
    {
        Acknowledge("a", 1, 1);
        Acknowledge("b", 1, 2);
        var track = Follow();
        track.Event("1-1", "a", recordedTime: "2026-01-02T03:04:05.002Z");
        track.Event("1-2", "b", recordedTime: "2026-01-02T03:04:05.001Z");

        Assert.Equal(FindingKind.TimeFell, Only(HistoryChecker.Check(_history)));
    }

    [Fact]
    public void Check_archive_without_an_event_or_with_one_twice_is_seen()
    {
        Acknowledge("a", 1, 1);
        Acknowledge("b", 1, 2);

        var report = HistoryChecker.Check(_history, [Row("a", 1, 1), Row("a", 2, 1)]);

        Assert.Equal([FindingKind.ArchiveDuplicated, FindingKind.ArchiveLost], report.Findings.Select(finding => finding.Kind));
    }

    [Fact]
    public void Acknowledge_same_event_as_new_again_or_out_of_order_is_a_wrong_answer()
    {
        Acknowledge("a", 1, 2);
        Acknowledge("a", 1, 3);
        Acknowledge("b", 1, 1);

        var kinds = HistoryChecker.Check(_history).Findings.Select(finding => finding.Kind);

        Assert.Equal([FindingKind.WrongAnswer, FindingKind.Reordered], kinds);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Check_passed_positions_explain_a_hole_and_excuse_no_event(bool isAcknowledged)
    {
        Acknowledge("a", 1, 1);
        if (isAcknowledged)
        {
            Acknowledge("b", 1, 2);
        }

        Acknowledge("c", 1, 3);
        var track = Follow(("a", "1-1"));
        track.Control("stream.passed", """{"stream":"s","from":"1-1","to":"1-2"}""");
        track.Event("1-3", "c");

        var report = HistoryChecker.Check(_history);

        Assert.Equal(isAcknowledged ? [FindingKind.Lost] : [], report.Findings.Select(finding => finding.Kind));
        Assert.Equal(!isAcknowledged, _history.IsDelivered());
    }

    [Theory]
    [InlineData("null", true, "1-2", FindingKind.RepeatedAsTold)]
    [InlineData("null", false, "1-2", FindingKind.Duplicated)]
    [InlineData("0", true, "1-2", FindingKind.Duplicated)]
    [InlineData("null", true, "1-1", FindingKind.Duplicated)]
    public void Check_event_that_came_again_is_a_fault_unless_it_says_so_to_one_that_came_back_from_an_unproven_border(
        string missed, bool comesBack, string first, FindingKind expected)
    {
        Acknowledge("a", 1, 1);
        Acknowledge("b", 1, 2);
        Acknowledge("c", 2, 2);
        var track = Follow(("a", "1-1"), ("b", "1-2"));
        track.Control("stream.epoch", $$"""{"stream":"s","previous":"1-2","current":"2-2","missed":{{missed}}}""");
        track.Event("2-2", "c");
        if (comesBack)
        {
            track.Resume();
        }

        track.Event("2-3", "b", first);

        Assert.Equal(expected, Only(HistoryChecker.Check(_history)));
    }

    private static FindingKind Only(HistoryReport report) => Assert.Single(report.Findings).Kind;

    private static ArchivedRow Row(string id, ulong epoch, ulong sequence) => new(Stream, new LogPosition(epoch, sequence), id);

    private void Acknowledge(string id, ulong epoch, ulong sequence)
    {
        var position = new LogPosition(epoch, sequence).ToString();
        _history.Send(Stream, [id]);
        _history.Acknowledge("p", Stream, [id], position, position);
    }

    private SubscriberTrack Follow(params (string Id, string Position)[] events)
    {
        var track = _history.Follow("subscriber", Stream);
        foreach (var (id, position) in events)
        {
            track.Event(position, id);
        }

        return track;
    }
}
