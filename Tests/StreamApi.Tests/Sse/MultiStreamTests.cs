using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.StreamApi.Sse;
using AspireStreaming.StreamApi.Tests.Support;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.TestSupport;

namespace AspireStreaming.StreamApi.Tests.Sse;

public sealed class MultiStreamTests(RedisFixture redis, SharedHost shared)
{
    private readonly string _a = TestLog.NewStream("a");
    private readonly string _b = TestLog.NewStream("b");
    private readonly string _c = TestLog.NewStream("c");

    [Fact]
    public async Task Open_the_first_frame_has_only_the_vector_at_the_start()
    {
        var b = (await shared.Log.AppendNumbersAsync(_b, 1, 5)).Last;
        var c = (await shared.Log.AppendNumbersAsync(_c, 1, 3)).Last;
        await using var client = await shared.Host.OpenAsync($"/events?stream={_a}&stream={_b}@{b with { Sequence = 2 }}&stream={_c}@now");

        Assert.Equal(200, client.Status);
        Assert.Equal("text/event-stream", client.Headers["Content-Type"]);
        Assert.Equal("no-cache, no-transform", client.Headers["Cache-Control"]);
        Assert.Equal("no", client.Headers["X-Accel-Buffering"]);
        var lines = (await client.ReadAnyAsync())!.Raw.Split('\n');
        Assert.Equal(3, lines.Length);
        Assert.StartsWith("retry: ", lines[0], StringComparison.Ordinal);
        Assert.Equal(": 3 streams", lines[1]);
        Assert.Equal([default, b with { Sequence = 2 }, c], Vector(lines[2]["id: ".Length..], _a, _b, _c));
    }

    [Fact]
    public async Task Open_each_stream_starts_where_it_is_told()
    {
        await shared.Log.AppendNumbersAsync(_a, 1, 3);
        var b = (await shared.Log.AppendNumbersAsync(_b, 11, 3)).Last;
        await shared.Log.AppendNumbersAsync(_c, 21, 3);
        await using var client = await shared.Host.OpenAsync(
            $"/events?stream={_a}@start&stream={_b}@{b with { Sequence = 2 }}&stream={_c}@now&stream={_a}x@2020-01-01T00:00:00Z");
        var frames = await ReadUntilCaughtUpAsync(client, 4);
        await shared.Log.AppendNumbersAsync(_c, 24, 1);

        Assert.Equal([1, 2, 3, 13], frames.Where(IsEvent).Select(frame => frame.Number).Order());
        Assert.Equal(24, (await client.ReadEventAsync()).Number);
    }

    [Fact]
    public async Task Frame_is_the_same_as_on_a_connection_of_its_own_but_for_the_id()
    {
        var last = (await shared.Log.AppendAsync(_a, shared.Log.Event("ORDER_PAID", "{\"a\":1}"))).Last;
        await using var alone = await shared.Host.OpenAsync($"/streams/{_a}/events");
        await using var many = await shared.Host.OpenAsync($"/events?stream={_a}&stream={_b}");
        await using var unnamed = await shared.Host.OpenAsync($"/events?stream={_a}&stream={_b}&named=false");

        var expected = await alone.ReadEventAsync();
        var actual = await many.ReadEventAsync();
        var plain = await unnamed.ReadEventAsync();

        Assert.Equal(expected.Raw.Split('\n')[1..], actual.Raw.Split('\n')[1..]);
        Assert.Equal([last, default], Vector(actual.Id!, _a, _b));
        Assert.Equal([$"id: {actual.Id}", $"data: {expected.Data}"], plain.Raw.Split('\n'));
    }

    [Fact]
    public async Task Resume_after_any_frame_nothing_is_lost_or_comes_twice()
    {
        await shared.Log.AppendNumbersAsync(_a, 1, 20);
        await shared.Log.AppendNumbersAsync(_b, 101, 20);
        var query = $"/events?stream={_a}&stream={_b}@now&stream={_c}";
        string? id = null;
        var numbers = new List<int>();
        for (var round = 0; round < 12; round++)
        {
            await using var client = await shared.Host.OpenAsync(query, id);
            for (var index = 0; index < round % 6; index++)
            {
                var frame = (await client.ReadAsync())!;
                id = frame.Id ?? id;
                if (IsEvent(frame))
                {
                    numbers.Add(frame.Number);
                }
            }

            await shared.Log.AppendNumbersAsync(_b, 121 + round, 1);
            await shared.Log.AppendNumbersAsync(_c, 201 + round, 1);
        }

        await using var last = await shared.Host.OpenAsync($"{query}&lastEventId={id}");
        numbers.AddRange((await ReadUntilCaughtUpAsync(last, 3)).Where(IsEvent).Select(frame => frame.Number));

        // The second stream was named '@now', and the first connection was told where that is before anything new came.
        int[] expected = [.. Enumerable.Range(1, 20), .. Enumerable.Range(121, 12), .. Enumerable.Range(201, 12)];
        Assert.Equal(numbers.Distinct().Count(), numbers.Count);
        Assert.Subset(expected.ToHashSet(), numbers.ToHashSet());
        Assert.Equal(Enumerable.Range(1, 20), numbers.Where(number => number <= 20));
        Assert.Equal(Enumerable.Range(201, 12), numbers.Where(number => number > 200));
        Assert.True(numbers.Where(number => number is > 100 and < 200).SequenceEqual(Enumerable.Range(122, 11)), string.Join(' ', numbers));
    }

    [Fact]
    public async Task Resume_the_header_wins_over_the_query()
    {
        var a = (await shared.Log.AppendNumbersAsync(_a, 1, 5)).Last;
        var old = Id([a with { Sequence = 1 }, default], _a, _b);
        var newer = Id([a with { Sequence = 3 }, default], _a, _b);

        await using var client = await shared.Host.OpenAsync($"/events?stream={_a}@now&stream={_b}&lastEventId={old}", newer);

        Assert.Equal(4, (await client.ReadEventAsync()).Number);
    }

    [Fact]
    public async Task Resume_of_impossible_positions_is_announced_for_each_stream()
    {
        var a = (await shared.Log.AppendNumbersAsync(_a, 1, 10)).Last;
        await shared.Log.TrimAsync(_a, a with { Sequence = 5 });
        var b = (await shared.Log.AppendNumbersAsync(_b, 101, 3)).Last;
        await using var client = await shared.Host.OpenAsync(
            $"/events?stream={_a}&stream={_b}", Id([a with { Sequence = 2 }, b with { Sequence = 9 }], _a, _b));

        var frames = await ReadUntilCaughtUpAsync(client, 2);

        var gaps = frames.Where(frame => frame.Event == "stream.gap").ToDictionary(frame => frame.Json.GetProperty("stream").GetString()!);
        Assert.Equal("trimmed", gaps[_a].Json.GetProperty("reason").GetString());
        Assert.Equal(3, gaps[_a].Json.GetProperty("missed").GetInt32());
        Assert.Equal("epoch", gaps[_b].Json.GetProperty("reason").GetString());
        Assert.Equal(b.ToString(), gaps[_b].Json.GetProperty("to").GetString());
        Assert.Equal(Enumerable.Range(6, 5), frames.Where(IsEvent).Select(frame => frame.Number));
        Assert.Equal([a, b], Vector(frames.Last(frame => frame.Id is not null).Id!, _a, _b));
    }

    [Fact]
    public async Task End_when_one_stream_ends_the_others_go_on_and_after_the_last_it_closes()
    {
        await using var client = await shared.Host.OpenAsync($"/events?stream={_a}&stream={_b}");
        await ReadUntilCaughtUpAsync(client, 2);

        await shared.Log.AppendAsync(_a, shared.Log.Event("WORKFLOW_COMPLETED", "1"));
        Assert.Equal("WORKFLOW_COMPLETED", (await client.ReadEventAsync()).Event);
        Assert.Equal(_a, (await client.ReadControlAsync("stream.end")).Json.GetProperty("stream").GetString());
        await shared.Log.AppendNumbersAsync(_b, 2, 1);
        Assert.Equal(2, (await client.ReadEventAsync()).Number);
        await shared.Log.AppendAsync(_b, shared.Log.Event("STREAM_END", "3"));
        var last = await client.ReadEventAsync();
        Assert.Equal("STREAM_END", last.Event);
        Assert.Equal(_b, (await client.ReadControlAsync("stream.end")).Json.GetProperty("stream").GetString());
        Assert.Null(await client.ReadAsync());

        await using var resumed = await shared.Host.OpenAsync($"/events?stream={_a}&stream={_b}", last.Id);
        Assert.Equal(204, resumed.Status);
    }

    [Fact]
    public async Task End_a_resume_with_one_stream_ended_still_follows_the_other()
    {
        var a = (await shared.Log.AppendAsync(_a, shared.Log.Event("STREAM_END"))).Last;
        await using var client = await shared.Host.OpenAsync($"/events?stream={_a}&stream={_b}", Id([a, default], _a, _b));
        Assert.Equal(200, client.Status);

        var frames = await ReadUntilCaughtUpAsync(client, 1);
        await shared.Log.AppendNumbersAsync(_b, 1, 1);

        Assert.DoesNotContain(frames, IsEvent);
        Assert.Equal(1, (await client.ReadEventAsync()).Number);
    }

    [Fact]
    public async Task Types_a_filtered_out_event_still_moves_the_vector()
    {
        await using var host = await StreamApiHost.StartAsync(redis.Process.ConnectionString, "--Delivery:PositionInterval=00:00:00.100");
        using var log = new TestLog(redis.Process.ConnectionString);
        await using var client = await host.OpenAsync($"/events?stream={_a}&stream={_b}&types=X");
        await ReadUntilCaughtUpAsync(client, 2);

        var a = (await log.AppendNumbersAsync(_a, 1, 3)).Last;

        Assert.Equal([a, default], Vector((await client.ReadAsync())!.Id!, _a, _b));
        var b = (await log.AppendAsync(_b, log.Event("X", "7"))).Last;
        Assert.Equal([a, b], Vector((await client.ReadEventAsync()).Id!, _a, _b));
    }

    [Fact]
    public async Task Policy_drop_holds_for_each_stream()
    {
        await shared.Log.AppendNumbersAsync(_a, 1, 50);
        await shared.Log.AppendNumbersAsync(_b, 101, 5);
        await using var client = await shared.Host.OpenAsync($"/events?stream={_a}&stream={_b}&policy=drop&lag=10");

        var frames = await ReadUntilCaughtUpAsync(client, 2);

        var dropped = Assert.Single(frames, frame => frame.Event == "stream.dropped");
        Assert.Equal(_a, dropped.Json.GetProperty("stream").GetString());
        Assert.Equal(50, dropped.Json.GetProperty("missed").GetInt32());
        Assert.Equal(Enumerable.Range(101, 5), frames.Where(IsEvent).Select(frame => frame.Number));
    }

    [Fact]
    public async Task Policy_disconnect_drains_the_connection()
    {
        await shared.Log.AppendNumbersAsync(_a, 1, 50);
        await using var client = await shared.Host.OpenAsync($"/events?stream={_a}&stream={_b}&policy=disconnect&lag=10");

        var drains = (await client.ReadToEndAsync()).Where(frame => frame.Event == "stream.drain").ToArray();

        Assert.Equal([_a, _b], drains.Select(frame => frame.Json.GetProperty("stream").GetString()));
        Assert.All(drains, frame => Assert.Equal("lag", frame.Json.GetProperty("reason").GetString()));
    }

    [Fact]
    public async Task Turns_a_long_replay_does_not_hold_up_the_other_streams()
    {
        const int Long = 3_000;
        for (var number = 1; number <= Long; number += 500)
        {
            await shared.Log.AppendNumbersAsync(_a, number, 500);
        }

        await shared.Log.AppendNumbersAsync(_b, 1, 3);
        await using var client = await shared.Host.OpenAsync($"/events?stream={_a}&stream={_b}");
        var order = new List<(string Stream, int Number)>();
        while (order.Count < Long + 3)
        {
            var frame = await client.ReadEventAsync();
            order.Add((frame.Json.GetProperty("stream").GetString()!, frame.Number));
        }

        Assert.Equal(Enumerable.Range(1, Long), order.Where(item => item.Stream == _a).Select(item => item.Number));
        Assert.Equal(Enumerable.Range(1, 3), order.Where(item => item.Stream == _b).Select(item => item.Number));
        Assert.InRange(order.FindIndex(item => item.Stream == _b), 0, 600);
    }

    [Fact]
    public async Task Fifty_streams_each_deliver_in_order()
    {
        const int Events = 20;
        string[] names = [.. Enumerable.Range(0, VectorCursor.MaxStreams).Select(_ => TestLog.NewStream("many"))];
        await using var client = await shared.Host.OpenAsync("/events?" + string.Join('&', names.Select(name => "stream=" + name)));
        Assert.Equal(200, client.Status);
        var appending = Task.WhenAll(names.Select(async name =>
        {
            for (var number = 1; number <= Events; number++)
            {
                await shared.Log.AppendNumbersAsync(name, number, 1);
            }
        }));

        var next = names.ToDictionary(name => name, _ => 1);
        SseFrame? frame = null;
        for (var count = 0; count < names.Length * Events; count++)
        {
            frame = await client.ReadEventAsync();
            Assert.Equal(next[frame.Json.GetProperty("stream").GetString()!]++, frame.Number);
        }

        await appending;
        Assert.All(Vector(frame!.Id!, names), position => Assert.Equal(Events, position.Sequence));
    }

    [Fact]
    public async Task Connection_is_listed_with_each_of_its_streams_and_freed()
    {
        await using var host = await StreamApiHost.StartAsync(
            redis.Process.ConnectionString, "--Delivery:FeedLinger=00:00:00", "--Delivery:TailCheckInterval=00:00:00.050");
        using var log = new TestLog(redis.Process.ConnectionString);
        var last = (await log.AppendNumbersAsync(_a, 1, 2)).Last;
        await using (var client = await host.OpenAsync($"/events?stream={_a}&stream={_b}"))
        {
            await ReadUntilCaughtUpAsync(client, 2);

            var list = await host.Client.GetFromJsonAsync<JsonElement>("/connections?scope=local", TestContext.Current.CancellationToken);
            var mine = Assert.Single(list.GetProperty("connections").EnumerateArray());
            Assert.Equal($"{_a},{_b}", mine.GetProperty("stream").GetString());
            Assert.Equal("live", mine.GetProperty("mode").GetString());
            Assert.Equal(
                [(_a, last.ToString()), (_b, "0-0")],
                mine.GetProperty("streams").EnumerateArray()
                    .Select(item => (item.GetProperty("stream").GetString()!, item.GetProperty("position").GetString()!)));
        }

        var feeds = host.Get<FeedRegistry>();
        await Eventually.TrueAsync(() => feeds.Count == 0, SseClient.Patience, "the feeds are gone", TestContext.Current.CancellationToken);
    }

    [Theory]
    [InlineData("", "stream")]
    [InlineData("stream=", "stream")]
    [InlineData("stream=a%20b", "stream")]
    [InlineData("stream=x&stream=y&stream=x@now", "stream")]
    [InlineData("stream=x@yesterday", "stream")]
    [InlineData("stream=x@", "stream")]
    [InlineData("stream=x&types=", "types")]
    [InlineData("stream=x&named=maybe", "named")]
    [InlineData("stream=x&policy=sometimes", "policy")]
    [InlineData("stream=x&lag=0", "lag")]
    [InlineData("stream=x&from=never", "from")]
    [InlineData("stream=x&lastEventId=1-1", "lastEventId")]
    public async Task Open_a_malformed_parameter_is_named(string query, string parameter)
    {
        using var response = await shared.Host.Client.GetAsync("/events?" + query, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        var problem = await response.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken);
        Assert.Equal(parameter, problem.GetProperty("parameter").GetString());
        Assert.Equal("urn:aspirestreaming:problem:invalid-parameter", problem.GetProperty("type").GetString());
    }

    [Fact]
    public async Task Open_fifty_one_streams_are_too_many()
    {
        var query = string.Join('&', Enumerable.Range(0, VectorCursor.MaxStreams + 1).Select(index => $"stream=s{index}"));

        using var response = await shared.Host.Client.GetAsync("/events?" + query, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
    }

    [Fact]
    public async Task Open_with_the_cursor_of_another_list_is_400()
    {
        await using var client = await shared.Host.OpenAsync($"/events?stream={_a}&stream={_b}", Id([default, default], _b, _a));

        Assert.Equal(400, client.Status);
    }

    [Fact]
    public async Task Open_with_a_wildcard_is_not_supported()
    {
        using var response = await shared.Host.Client.GetAsync("/events?match=a*", TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        var problem = await response.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken);
        Assert.Equal("urn:aspirestreaming:problem:not-supported", problem.GetProperty("type").GetString());
    }

    [Theory]
    [InlineData("text/event-stream", HttpStatusCode.OK)]
    [InlineData("*/*", HttpStatusCode.OK)]
    [InlineData(null, HttpStatusCode.OK)]
    [InlineData("application/json", HttpStatusCode.NotAcceptable)]
    public async Task Accept_must_allow_an_event_stream(string? accept, HttpStatusCode expected)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/events?stream={_a}");
        if (accept is not null)
        {
            request.Headers.Accept.ParseAdd(accept);
        }

        using var response = await shared.Host.Client.SendAsync(
            request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);

        Assert.Equal(expected, response.StatusCode);
    }

    private static bool IsEvent(SseFrame frame) => frame.Data is not null && !frame.IsControl;

    private static async Task<List<SseFrame>> ReadUntilCaughtUpAsync(SseClient client, int streams)
    {
        var frames = new List<SseFrame>();
        while (streams > 0)
        {
            var frame = await client.ReadAsync() ?? throw new EndOfStreamException(client.Received.ToString());
            streams -= frame.Event == "stream.caught-up" ? 1 : 0;
            frames.Add(frame);
        }

        return frames;
    }

    private static StreamPosition[] Vector(string id, params string[] streams)
    {
        Assert.True(new VectorCursor(streams).TryParse(id, out var positions), id);
        return positions;
    }

    private static string Id(StreamPosition[] positions, params string[] streams)
    {
        var text = new byte[VectorCursor.MaxTextLength];
        return Encoding.ASCII.GetString(text, 0, new VectorCursor(streams).Format(positions, text));
    }
}
