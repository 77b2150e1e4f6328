using System.Text;
using AspireStreaming.Client.Following;

namespace AspireStreaming.Client.Tests.Following;

public sealed class ContinuityCheckTests
{
    private readonly ContinuityCheck _check = new(filtered: false);

    [Fact]
    public void Event_dense_positions_are_well()
    {
        _check.Cursor(StreamPosition.Zero);

        Assert.Null(Event(5, 3));
        Assert.Null(Event(5, 4));
        Assert.Null(Event(5, 5));
    }

    [Fact]
    public void Event_hole_is_a_fault()
    {
        Event(5, 3);

        Assert.Contains("2 events are missing between 5-3 and 5-6", Event(5, 6), StringComparison.Ordinal);
    }

    [Fact]
    public void Event_hole_after_the_cursor_where_it_starts_is_a_fault()
    {
        _check.Cursor(new StreamPosition(5, 3));

        Assert.Contains("1 event is missing", Event(5, 5), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(3, "5-3 was delivered twice")]
    [InlineData(2, "5-2 was delivered after 5-3")]
    public void Event_again_or_earlier_is_a_fault(long sequence, string expected)
    {
        Event(5, 3);

        Assert.Equal(expected, Event(5, sequence));
    }

    [Theory]
    [InlineData("stream.gap", "trimmed")]
    [InlineData("stream.dropped", "lag")]
    public void Event_announced_hole_is_well(string name, string reason)
    {
        Event(5, 3);

        Assert.Null(Control(name, $$"""{"stream":"s","from":"5-3","to":"5-6","missed":3,"reason":"{{reason}}"}"""));
        Assert.Null(Event(5, 7));
    }

    [Fact]
    public void Event_after_positions_that_are_passed_over_is_well()
    {
        Event(5, 3);

        Assert.Null(Control("stream.passed", """{"stream":"s","from":"5-3","to":"5-6"}"""));
        Assert.Null(Event(5, 7));
        Assert.Contains("missing", Event(5, 9), StringComparison.Ordinal);
    }

    [Fact]
    public void Event_hole_larger_than_announced_is_a_fault()
    {
        Event(5, 3);
        Control("stream.gap", """{"from":"5-3","to":"5-6","missed":3,"reason":"trimmed"}""");

        Assert.NotNull(Event(5, 8));
    }

    [Fact]
    public void Control_gap_that_begins_after_the_last_event_is_a_fault()
    {
        Event(5, 3);

        Assert.NotNull(Control("stream.gap", """{"from":"5-4","to":"5-6","missed":2,"reason":"trimmed"}"""));
    }

    [Fact]
    public void Event_new_epoch_needs_an_announcement()
    {
        Event(5, 3);
        Assert.NotNull(Event(6, 4));

        Control("stream.epoch", """{"previous":"6-4","current":"7-5","missed":0}""");
        Assert.Null(Event(7, 5));
        Assert.NotNull(Event(8, 6));
    }

    [Fact]
    public void Event_gap_that_leads_back_is_well()
    {
        Event(5, 30);
        Control("stream.gap", """{"from":"5-30","to":"5-20","missed":null,"reason":"epoch"}""");

        Assert.Null(Event(6, 21));
    }

    [Fact]
    public void Event_filtered_checks_only_the_order()
    {
        var check = new ContinuityCheck(filtered: true);
        check.Cursor(new StreamPosition(5, 1));

        Assert.Null(check.Event(new StreamPosition(5, 9)));
        check.Cursor(new StreamPosition(5, 20));
        Assert.NotNull(check.Event(new StreamPosition(5, 15)));
    }

    [Fact]
    public void Notice_gap_that_does_not_say_where_is_a_fault() => Assert.NotNull(Control("stream.gap", "{}"));

    private string? Event(long epoch, long sequence) => _check.Event(new StreamPosition(epoch, sequence));

    private string? Control(string name, string json) => _check.Notice(StreamNotice.Read(name, Encoding.UTF8.GetBytes(json), "s"));
}
