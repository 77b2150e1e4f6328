using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.Streaming.Contracts;
using static AspireStreaming.StreamApi.Tests.Delivery.ContinuityTests;

namespace AspireStreaming.StreamApi.Tests.Delivery;

public sealed class StreamWindowTests
{
    private readonly WindowBudget _budget = new(1 << 20);

    [Fact]
    public void Read_a_cursor_inside_gets_everything_after_it()
    {
        var window = Window(1, 5);

        Assert.Equal(WindowRead.Found, Read(window, "10-2", out var found));
        Assert.Equal(["10-3", "10-4", "10-5"], found);
        Assert.Equal(WindowRead.AtTail, Read(window, "10-5", out _));
    }

    [Fact]
    public void Read_a_cursor_that_the_window_cannot_vouch_for_is_sent_elsewhere()
    {
        var window = Window(11, 5);

        Assert.Equal(WindowRead.Found, Read(window, "10-10", out _));
        Assert.Equal(WindowRead.Outside, Read(window, "10-9", out _));
        Assert.Equal(WindowRead.Outside, Read(window, "0-0", out _));
        Assert.Equal(WindowRead.Outside, Read(window, "10-99", out _));
        Assert.Equal(WindowRead.Outside, Read(window, "11-1", out _));
    }

    [Fact]
    public void Append_beyond_the_bound_the_oldest_go()
    {
        var window = Window(1, 100, maxEvents: 20);

        Assert.Equal(20, window.Count);
        Assert.Equal(At("10-80"), window.Before);
        Assert.Equal(WindowRead.Outside, Read(window, "10-79", out _));
        Assert.Equal(WindowRead.Found, Read(window, "10-80", out var found));
        Assert.Equal("10-81", found[0]);
        Assert.Equal(window.Bytes, _budget.Used);
    }

    [Fact]
    public void Append_beyond_the_bytes_the_oldest_go_but_the_newest_stays()
    {
        var one = Event("10-1").Size;
        var window = new StreamWindow(1_000, (one * 3) + 20, _budget);
        window.Reset(At("10-0"));
        for (var sequence = 1; sequence <= 9; sequence++)
        {
            window.Append(Event($"10-{sequence}"));
        }

        Assert.Equal(3, window.Count);
        Assert.Equal(At("10-9"), window.Last);
    }

    [Fact]
    public void Append_over_the_budget_of_all_windows_they_shrink()
    {
        var window = new StreamWindow(1_000, 1 << 20, new WindowBudget(1));
        window.Reset(At("10-0"));
        for (var sequence = 1; sequence <= 50; sequence++)
        {
            window.Append(Event($"10-{sequence}"));
        }

        Assert.Equal(16, window.Count);
    }

    [Fact]
    public void Read_across_an_epoch_border_the_border_starts_a_batch_of_its_own()
    {
        var window = Window(1, 3);
        window.Append(Event("20-4", "10-3"));
        window.Append(Event("20-5"));

        Read(window, "10-1", out var before);
        Read(window, "10-3", out var after);

        Assert.Equal(["10-2", "10-3"], before);
        Assert.Equal(["20-4", "20-5"], after);
        Assert.Equal(WindowRead.Outside, Read(window, "10-4", out _));
        Assert.Equal(WindowRead.Outside, Read(window, "15-1", out _));
    }

    [Fact]
    public void ClaimStart_only_a_window_with_the_first_event_takes_readers_from_the_start()
    {
        var whole = Window(1, 3);
        var rest = Window(2, 3);

        whole.ClaimStart();
        rest.ClaimStart();

        Assert.Equal(WindowRead.Found, Read(whole, "0-0", out _));
        Assert.Equal(WindowRead.Outside, Read(rest, "0-0", out _));
    }

    [Fact]
    public void Reset_the_bytes_go_back_to_the_budget()
    {
        var window = Window(1, 30);

        window.Reset(At("10-30"));

        Assert.Equal(0, _budget.Used);
        Assert.Equal(WindowRead.AtTail, Read(window, "10-30", out _));
    }

    private static WindowRead Read(StreamWindow window, string cursor, out string[] found)
    {
        var into = new EncodedEvent?[64];
        var read = window.Read(At(cursor), into, 1 << 20, out var count);
        found = [.. into.Take(count).Select(item => item!.Position.ToString())];
        return read;
    }

    private StreamWindow Window(int first, int count, int maxEvents = 1_000)
    {
        var window = new StreamWindow(maxEvents, 1 << 20, _budget);
        window.Reset(new StreamPosition(10, first - 1));
        for (var sequence = first; sequence < first + count; sequence++)
        {
            window.Append(Event($"10-{sequence}"));
        }

        return window;
    }
}
