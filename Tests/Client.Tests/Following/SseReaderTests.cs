using System.Text;
using AspireStreaming.Client.Following;
using AspireStreaming.TestSupport;

namespace AspireStreaming.Client.Tests.Following;

public sealed class SseReaderTests
{
    private const string Document =
        "\uFEFFretry: 1500\n: a comment\n\nid: 1-0\n\n"
        + "id: 1-1\nevent: chunk\ndata: {\"a\":\"é€😀\"}\n\n"
        + "data:no space\ndata:  two spaces\ndata\ndata:\n\n"
        + "event: lonely\n\n"
        + "id: bad\0id\ndata: x: y\nunknown: field\nretry: 12x\n\n"
        + ": heartbeat\n\n"
        + "event: other\nid\ndata: last\n\n"
        + "id: 9-9\ndata: never finished\n";

    private static readonly string[] Expected =
    [
        "1-0|message|-",
        "1-1|chunk|{\"a\":\"é€😀\"}",
        "1-1|message|no space\n two spaces\n\n",
        "1-1|message|x: y",
        "|other|last",
    ];

    [Theory]
    [InlineData("\n")]
    [InlineData("\r\n")]
    [InlineData("\r")]
    public async Task ReadAsync_cut_at_every_byte_reads_the_same(string lineEnd)
    {
        var bytes = Encoding.UTF8.GetBytes(Document.Replace("\n", lineEnd, StringComparison.Ordinal));

        for (var cut = 0; cut <= bytes.Length; cut++)
        {
            Assert.Equal(Expected, await ReadAllAsync([bytes[..cut], bytes[cut..]]));
        }
    }

    [Theory]
    [InlineData("\n")]
    [InlineData("\r\n")]
    [InlineData("\r")]
    public async Task ReadAsync_byte_by_byte_reads_the_same(string lineEnd)
    {
        var bytes = Encoding.UTF8.GetBytes(Document.Replace("\n", lineEnd, StringComparison.Ordinal));

        Assert.Equal(Expected, await ReadAllAsync(bytes.Select(static item => new[] { item })));
    }

    [Fact]
    public async Task ReadAsync_carriage_return_dispatches_without_waiting_for_a_line_feed()
    {
        var pipe = new System.IO.Pipelines.Pipe();
        await using var reader = new SseReader(pipe.Reader.AsStream(), TimeSpan.FromSeconds(10), TimeProvider.System);

        await pipe.Writer.WriteAsync("data: a\r\r"u8.ToArray(), TestContext.Current.CancellationToken);

        Assert.True(await reader.ReadAsync(TestContext.Current.CancellationToken));
        Assert.Equal("a", Encoding.UTF8.GetString(reader.Data.Span));
    }

    [Fact]
    public async Task Retry_keeps_the_last_valid_value()
    {
        await using var reader = Open("retry: 1500\nretry: x\nretry:\nretry: -5\ndata: a\n\n");

        await reader.ReadAsync(TestContext.Current.CancellationToken);

        Assert.Equal(TimeSpan.FromMilliseconds(1500), reader.Retry);
    }

    [Fact]
    public async Task LastEventId_of_a_frame_that_is_cut_off_does_not_count()
    {
        await using var reader = Open("id: 1-1\ndata: a\n\nid: 1-2\ndata: b\n");

        Assert.True(await reader.ReadAsync(TestContext.Current.CancellationToken));
        Assert.False(await reader.ReadAsync(TestContext.Current.CancellationToken));

        Assert.Equal("1-1", reader.LastEventId);
    }

    [Fact]
    public async Task ReadAsync_large_event_in_small_chunks_grows_the_buffer()
    {
        var data = string.Concat(Enumerable.Range(0, 40_000).Select(static number => $"{number},"));

        var frames = await ReadAllAsync(Encoding.UTF8.GetBytes($"data: {data}\n\n").Chunk(1000));

        Assert.Equal("|message|" + data, Assert.Single(frames));
    }

    [Theory]
    [InlineData("data: 0123456789012345678901234567890123456789\n\n", 32)]
    [InlineData("data: 012345678901\ndata: 012345678901\ndata: 012345678901\n\n", 32)]
    public async Task ReadAsync_event_above_the_limit_throws(string text, int limit)
    {
        await using var reader = new SseReader(
            new ChunkedStream(Encoding.UTF8.GetBytes(text).Chunk(4)), TimeSpan.FromSeconds(10), TimeProvider.System, limit);

        await Assert.ThrowsAsync<InvalidDataException>(async () => await reader.ReadAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task ReadAsync_without_any_byte_for_too_long_throws()
    {
        var pipe = new System.IO.Pipelines.Pipe();
        await using var reader = new SseReader(pipe.Reader.AsStream(), TimeSpan.FromMilliseconds(20), TimeProvider.System);

        await Assert.ThrowsAsync<TimeoutException>(async () => await reader.ReadAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task ReadAsync_steady_events_allocate_nothing_each()
    {
        const int Count = 20_000;
        var frame = "id: 1763646000000-1\nevent: chunk\ndata: {\"a\":1}\n\n"u8.ToArray();
        var bytes = Enumerable.Repeat(frame, Count).SelectMany(static item => item).ToArray();
        await using var reader = new SseReader(new MemoryStream(bytes), Timeout.InfiniteTimeSpan, TimeProvider.System);
        await reader.ReadAsync(TestContext.Current.CancellationToken);

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var index = 1; index < Count; index++)
        {
            await reader.ReadAsync(TestContext.Current.CancellationToken);
        }

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, Count);
    }

    private static SseReader Open(string text) => new(new MemoryStream(Encoding.UTF8.GetBytes(text)), TimeSpan.FromSeconds(10), TimeProvider.System);

    private static async Task<string[]> ReadAllAsync(IEnumerable<byte[]> chunks)
    {
        // An empty read would be the end.
        await using var reader = new SseReader(
            new ChunkedStream(chunks.Where(static chunk => chunk.Length > 0)), TimeSpan.FromSeconds(10), TimeProvider.System);
        var frames = new List<string>();
        while (await reader.ReadAsync(TestContext.Current.CancellationToken))
        {
            frames.Add($"{reader.LastEventId}|{reader.EventType}|{(reader.HasData ? Encoding.UTF8.GetString(reader.Data.Span) : "-")}");
        }

        return [.. frames];
    }
}
