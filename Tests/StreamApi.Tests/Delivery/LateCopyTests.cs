using System.Net;
using System.Text;
using System.Text.Json;
using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.StreamApi.Tests.Sessions;
using AspireStreaming.StreamApi.Tests.Support;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;
using AspireStreaming.V1;
using Grpc.Net.Client;
using Microsoft.Extensions.DependencyInjection;

namespace AspireStreaming.StreamApi.Tests.Delivery;

/// <summary>
/// An event that Redis lost and a publisher put back late, at a later position that tells the first: who had it there passes it over and is
/// told so, who had not gets it. The streams are written by hand as the healing script leaves them.
/// </summary>
public sealed class LateCopyTests(SharedHost shared)
{
    private readonly string _stream = TestLog.NewStream("late");

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("0-0", new[] { "100-1", "100-2", "200-3", "200-5" }, "200-3", "200-4")]
    [InlineData("100-2", new[] { "200-3", "200-5" }, "200-3", "200-4")]
    [InlineData("200-3", new[] { "200-5" }, "200-3", "200-4")]
    [InlineData("100-1", new[] { "100-2", "200-3", "200-5" }, "200-3", "200-4")]
    public async Task What_was_had_where_it_stood_first_is_passed_over_on_every_transport(string from, string[] expected, string passedFrom, string passedTo)
    {
        await LogAsync("100-1");
        await LogAsync("100-2");
        await LogAsync("200-3", previous: "100-2");
        await LogAsync("200-4", first: "100-2");
        await LogAsync("200-5");

        await AssertAsync(from, expected, $"{passedFrom} {passedTo}");
    }

    [Theory]
    [InlineData("100-2", new[] { "200-3", "200-4" })]
    [InlineData("200-3", new[] { "200-4" })]
    public async Task What_lay_beyond_the_border_is_given_to_whoever_may_have_come_without_it(string from, string[] expected)
    {
        await LogAsync("100-2");
        await LogAsync("200-3", previous: "100-2");
        await LogAsync("200-4", first: "100-3", flags: EventFlags.BeyondBorder);

        await AssertAsync(from, expected, null);
    }

    [Fact]
    public async Task Whoever_stood_beyond_the_border_is_known_to_have_had_it()
    {
        await LogAsync("100-2");
        await LogAsync("200-3", previous: "100-2");
        await LogAsync("200-4", first: "100-3", flags: EventFlags.BeyondBorder);
        await LogAsync("200-5");

        await AssertAsync("100-3", ["200-3", "200-5"], "200-3 200-4");
    }

    [Fact]
    public async Task A_hole_is_no_reason_to_pass_over_what_comes_late()
    {
        await LogAsync("100-1");
        await LogAsync("100-3");
        await LogAsync("200-4", previous: "100-3");
        await LogAsync("200-5", first: "100-2");

        await AssertAsync("100-1", ["100-3", "200-4", "200-5"], null);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_start_beyond_the_end_stays_where_it_is_if_the_log_may_have_lost_it(bool isLost)
    {
        var last = (await shared.Log.AppendNumbersAsync(_stream, 1, 1)).Last;
        var from = new StreamPosition(9_000_000_000_000, 1);
        if (isLost)
        {
            // As after a loss: the partition's epoch is later than the stream's.
            from = new StreamPosition(100, 7);
            await shared.Log.Database.KeyDeleteAsync(StreamKeys.Stream(_stream));
            await LogAsync("100-4");
            await shared.Log.Database.HashSetAsync(StreamKeys.Meta(_stream), [new("e", 100), new("s", 4), new("pe", "90")]);
            await shared.Log.Database.HashDeleteAsync(StreamKeys.Meta(_stream), "f");
            last = new StreamPosition(100, 4);
        }

        var start = await shared.Host.Services.GetRequiredService<StartResolver>()
            .ResolveAsync(_stream, new StartFrom(StartKind.Position, from), TierSet.All, Cancelled);

        Assert.Equal(isLost ? from : last, start.Position);
        Assert.Equal(new AspireStreaming.StreamApi.Delivery.Gap(from, last, null, GapReasons.Epoch), start.Gap);
    }

    [Fact]
    public async Task A_page_from_a_lost_position_waits_and_goes_on_with_what_follows()
    {
        await shared.Log.AppendNumbersAsync(_stream, 1, 1);
        await shared.Log.Database.KeyDeleteAsync(StreamKeys.Stream(_stream));
        await LogAsync("100-4");
        await shared.Log.Database.HashSetAsync(StreamKeys.Meta(_stream), [new("e", 100), new("s", 4), new("pe", "90")]);
        await shared.Log.Database.HashDeleteAsync(StreamKeys.Meta(_stream), "f");

        var nothing = await PageAsync("100-7");
        var waiting = PageAsync("100-7", "&wait=20");
        await Assert.ThrowsAsync<TimeoutException>(() => waiting.WaitAsync(TimeSpan.FromMilliseconds(300), TimeProvider.System, Cancelled));
        var next = (await shared.Log.AppendNumbersAsync(_stream, 5, 1)).Last;
        var something = await waiting;

        Assert.Equal("100-7", nothing.GetProperty("next").GetString());
        Assert.Equal("100-7", nothing.GetProperty("gap").GetProperty("from").GetString());
        Assert.Equal([next.ToString()], Positions(something));
        Assert.Equal("100-7", something.GetProperty("gap").GetProperty("from").GetString());
        Assert.Equal(next with { Sequence = next.Sequence - 1 }, StreamPosition.Parse(Encoding.ASCII.GetBytes(something.GetProperty("gap").GetProperty("to").GetString()!)));
        Assert.Equal(next.ToString(), something.GetProperty("next").GetString());
    }

    [Fact]
    public async Task A_damaged_entry_is_a_gap_and_nothing_fails()
    {
        var first = await shared.Log.AppendNumbersAsync(_stream, 1, 4);
        var damaged = first.First.Next;
        await shared.Log.Database.ExecuteAsync("XDEL", StreamKeys.Stream(_stream), damaged.ToString());
        var rest = await EntriesAsync();
        await shared.Log.Database.KeyDeleteAsync(StreamKeys.Stream(_stream));
        await XAddAsync(rest[0]);
        await shared.Log.Database.ExecuteAsync("XADD", StreamKeys.Stream(_stream), damaged.ToString(), "e", "rubbish", "r", "1700000000000");
        await XAddAsync(rest[1]);
        await XAddAsync(rest[2]);

        var page = await PageAsync("0-0");
        var next = await PageAsync(page.GetProperty("next").GetString()!);
        var down = await PageAsync("now", "&order=desc");

        Assert.Equal([first.First.ToString()], Positions(page));
        Assert.Equal(damaged.ToString(), next.GetProperty("gap").GetProperty("to").GetString());
        Assert.Equal("unknown", next.GetProperty("gap").GetProperty("reason").GetString());
        Assert.Equal([damaged.Next.ToString(), first.Last.ToString()], Positions(next));
        Assert.Equal([first.Last.ToString(), damaged.Next.ToString()], Positions(down));
        using var list = await shared.Host.Client.GetAsync("/streams?limit=1000", Cancelled);
        Assert.Equal(HttpStatusCode.OK, list.StatusCode);
        using var one = await shared.Host.Client.GetAsync($"/streams/{_stream}", Cancelled);
        Assert.Equal(HttpStatusCode.OK, one.StatusCode);
    }

    [Fact]
    public async Task A_stream_whose_first_entry_is_damaged_is_listed()
    {
        await LogAsync("100-1");
        await shared.Log.Database.KeyDeleteAsync(StreamKeys.Stream(_stream));
        await shared.Log.Database.ExecuteAsync("XADD", StreamKeys.Stream(_stream), "100-1", "e", "rubbish", "r", "1700000000000");
        await shared.Log.Database.HashSetAsync(StreamKeys.Meta(_stream), [new("e", 100), new("s", 1), new("rt", 1_700_000_000_000), new("pe", "90")]);
        await shared.Log.Database.SortedSetAddAsync(StreamKeys.Index(StreamName.PartitionOf(_stream)), _stream, 1_700_000_000_000);

        using var one = await shared.Host.Client.GetAsync($"/streams/{_stream}", Cancelled);
        Assert.Equal(HttpStatusCode.OK, one.StatusCode);
        var page = await PageAsync("0-0");
        Assert.Empty(Positions(page));
        Assert.Equal("100-1", page.GetProperty("gap").GetProperty("to").GetString());
    }

    private static string[] Positions(JsonElement page) =>
        [.. page.GetProperty("events").EnumerateArray().Select(item => item.GetProperty("position").GetString()!)];

    private async Task AssertAsync(string from, string[] expected, string? passed)
    {
        var page = await PageAsync(from);
        Assert.Equal(expected, Positions(page));
        Assert.Equal(passed, page.TryGetProperty("passed", out var ranges) ? string.Join(',', ranges.EnumerateArray().Select(Range)) : null);

        await using (var sse = await SseClient.OpenAsync(shared.Host.Http, $"/streams/{_stream}/events", from))
        {
            await AssertDeliveredAsync(expected, passed, async () =>
            {
                while (await sse.ReadAsync() is { } frame)
                {
                    if (frame.Data is not null)
                    {
                        return frame.IsControl ? (frame.Event!, frame.Json) : ("", frame.Json);
                    }
                }

                return null;
            });
        }

        using (var channel = GrpcChannel.ForAddress(shared.Host.Grpc))
        {
            using var call = new Streams.StreamsClient(channel).Subscribe(new SubscribeRequest { Stream = _stream, From = from }, cancellationToken: Cancelled);
            await AssertDeliveredAsync(expected, passed, async () =>
            {
                if (!await call.ResponseStream.MoveNext(Cancelled))
                {
                    return null;
                }

                var item = call.ResponseStream.Current;
                return item.Event is { } delivered
                    ? ("", JsonSerializer.SerializeToElement(new { position = delivered.Position }))
                    : (item.Control.Name, JsonSerializer.Deserialize<JsonElement>(item.Control.Json));
            });
        }

        await using var session = await SessionClient.OpenAsync("ws", shared.Host);
        await session.SubscribeAsync("1", _stream, from);
        await AssertDeliveredAsync(expected, passed, async () => await session.ReadAsync() switch
        {
            { Type: "event" } message => ("", JsonSerializer.SerializeToElement(new { position = message.Position })),
            { Type: "control" } message => (message.Name!, message.Body.GetProperty("data")),
            var message => (message.Type, default),
        });
    }

    /// <summary>Reads up to the tail, and a little further: what is passed over at the tail is told there.</summary>
    private static async Task AssertDeliveredAsync(string[] expected, string? passed, Func<Task<(string Control, JsonElement Data)?>> readAsync)
    {
        var positions = new List<string>();
        string? told = null;
        while (await readAsync() is var (control, data) && control != "stream.caught-up")
        {
            if (control.Length == 0)
            {
                positions.Add(data.GetProperty("position").GetString()!);
            }
            else if (control == "stream.passed")
            {
                told = Range(data);
            }
        }

        Assert.Equal(expected, positions);
        Assert.Equal(passed, told);
    }

    private static string Range(JsonElement range) => $"{range.GetProperty("from").GetString()} {range.GetProperty("to").GetString()}";

    private async Task<JsonElement> PageAsync(string from, string more = "")
    {
        using var answer = await shared.Host.Client.GetAsync($"/streams/{_stream}/events?from={from}{more}", Cancelled);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        return JsonSerializer.Deserialize<JsonElement>(await answer.Content.ReadAsStringAsync(Cancelled));
    }

    private async Task<List<Entry>> EntriesAsync()
    {
        var read = await shared.Log.Reader.ReadAfterAsync(_stream, StreamPosition.Zero, 100, Cancelled);
        return [.. read.Select(stored => new Entry(stored.Position.ToString(), stored.Frame.Bytes.ToArray(), stored.RecordedAt))];
    }

    private async Task XAddAsync(Entry entry) =>
        await shared.Log.Database.ExecuteAsync("XADD", StreamKeys.Stream(_stream), entry.Id, "e", entry.Frame, "r", entry.RecordedAt);

    private async Task LogAsync(string position, string? previous = null, string? first = null, EventFlags flags = EventFlags.None)
    {
        var json = $"\"specversion\":\"1.0\",\"id\":\"{first ?? position}\",\"source\":\"/t\",\"type\":\"T\",\"time\":\"2026-01-02T03:04:05Z\",\"datacontenttype\":\"application/json\""
            + (first is null ? "" : $",\"firstposition\":\"{first}\"") + ",\"data\":1}";
        var frame = EventFrame.Encode("T", first is null ? flags : flags | EventFlags.Repeated, Encoding.UTF8.GetBytes(json));
        List<object> arguments = [StreamKeys.Stream(_stream), position, "e", frame, "r", "1700000000000"];
        if (previous is not null)
        {
            arguments.AddRange(["p", previous]);
        }

        await shared.Log.Database.ExecuteAsync("XADD", [.. arguments]);
        var parts = position.Split('-');
        await shared.Log.Database.HashSetAsync(StreamKeys.Meta(_stream), [new("e", parts[0]), new("s", parts[1]), new("rt", 1_700_000_000_000), new("pe", "90")]);
    }

    private sealed record Entry(string Id, byte[] Frame, long RecordedAt);
}
