using System.Globalization;
using System.Net;
using System.Text.Json;
using AspireStreaming.StreamApi.Tests.Support;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.TestSupport;

namespace AspireStreaming.StreamApi.Tests.Sse;

public sealed class SseContractTests(SharedHost shared)
{
    private readonly string _stream = TestLog.NewStream();

    [Fact]
    public async Task Open_the_head_and_the_first_bytes_are_exact()
    {
        var appended = await shared.Log.AppendAsync(_stream, shared.Log.Event("ORDER_PAID", "{\"a\":1}", "x1"));
        await using var client = await shared.Host.OpenAsync($"/streams/{_stream}/events");

        Assert.Equal(200, client.Status);
        Assert.Equal("text/event-stream", client.Headers["Content-Type"]);
        Assert.Equal("no-cache, no-transform", client.Headers["Cache-Control"]);
        Assert.Equal("no", client.Headers["X-Accel-Buffering"]);
        var opening = await client.ReadAnyAsync();
        var lines = opening!.Raw.Split('\n');
        Assert.Equal(3, lines.Length);
        Assert.InRange(int.Parse(lines[0]["retry: ".Length..], CultureInfo.InvariantCulture), 1_000, 5_000);
        Assert.Equal($": stream {_stream}", lines[1]);
        Assert.Equal("id: 0-0", lines[2]);
        var delivered = await client.ReadAnyAsync();
        var recorded = delivered!.Json.GetProperty("recordedtime").GetString();
        Assert.Equal(
            $"id: {appended.Last}\nevent: ORDER_PAID\ndata: {{\"stream\":\"{_stream}\",\"position\":\"{appended.Last}\",\"sequence\":1,"
            + $"\"recordedtime\":\"{recorded}\",\"specversion\":\"1.0\",\"id\":\"x1\",\"source\":\"/t\",\"type\":\"ORDER_PAID\","
            + "\"time\":\"2026-01-02T03:04:05Z\",\"datacontenttype\":\"application/json\",\"data\":{\"a\":1}}",
            delivered.Raw);
        var caughtUp = await client.ReadAnyAsync();
        Assert.Equal($"event: stream.caught-up\ndata: {{\"stream\":\"{_stream}\",\"position\":\"{appended.Last}\"}}", caughtUp!.Raw);
    }

    [Fact]
    public async Task Open_a_stream_that_does_not_exist_is_waited_for()
    {
        await using var client = await shared.Host.OpenAsync($"/streams/{_stream}/events");
        Assert.Equal("0-0", (await client.ReadControlAsync("stream.caught-up")).Json.GetProperty("position").GetString());

        await shared.Log.AppendNumbersAsync(_stream, 1, 3);

        for (var number = 1; number <= 3; number++)
        {
            Assert.Equal(number, (await client.ReadEventAsync()).Number);
        }
    }

    [Fact]
    public async Task Open_unnamed_frames_have_no_event_line()
    {
        var appended = await shared.Log.AppendNumbersAsync(_stream, 1, 1);
        await using var client = await shared.Host.OpenAsync($"/streams/{_stream}/events?named=false");

        var frame = await client.ReadEventAsync();

        Assert.Null(frame.Event);
        Assert.StartsWith($"id: {appended.Last}\ndata: {{", frame.Raw, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Open_live_events_follow_old_ones_without_a_seam()
    {
        await shared.Log.AppendNumbersAsync(_stream, 1, 700);
        await using var client = await shared.Host.OpenAsync($"/streams/{_stream}/events");
        var appending = Task.Run(async () =>
        {
            for (var number = 701; number <= 900; number++)
            {
                await shared.Log.AppendNumbersAsync(_stream, number, 1);
            }
        }, TestContext.Current.CancellationToken);

        for (var number = 1; number <= 900; number++)
        {
            Assert.Equal(number, (await client.ReadEventAsync()).Number);
        }

        await appending;
    }

    [Fact]
    public async Task Open_a_large_append_that_no_wake_carries_arrives()
    {
        await using var client = await shared.Host.OpenAsync($"/streams/{_stream}/events");
        await client.ReadControlAsync("stream.caught-up");
        var text = $"\"{new string('x', 200_000)}\"";

        await shared.Log.AppendAsync(_stream, shared.Log.Event(data: text), shared.Log.Event(data: text));

        Assert.Equal(text, (await client.ReadEventAsync()).Json.GetProperty("data").GetRawText());
        Assert.Equal(text, (await client.ReadEventAsync()).Json.GetProperty("data").GetRawText());
    }

    [Fact]
    public async Task Resume_the_header_wins_over_the_query()
    {
        var first = (await shared.Log.AppendNumbersAsync(_stream, 1, 5)).First;
        var third = first with { Sequence = 3 };

        await using var header = await shared.Host.OpenAsync($"/streams/{_stream}/events?lastEventId={first}&from=now", third.ToString());
        await using var query = await shared.Host.OpenAsync($"/streams/{_stream}/events?lastEventId={third}&from=now");
        await using var from = await shared.Host.OpenAsync($"/streams/{_stream}/events?from={third}");

        foreach (var client in (SseClient[])[header, query, from])
        {
            Assert.Equal(third.ToString(), (await client.ReadAsync())!.Id);
            Assert.Equal(4, (await client.ReadAsync())!.Number);
        }
    }

    [Fact]
    public async Task Resume_from_now_only_new_events_come()
    {
        var old = await shared.Log.AppendNumbersAsync(_stream, 1, 5);
        await using var client = await shared.Host.OpenAsync($"/streams/{_stream}/events?from=now");
        Assert.Equal(old.Last.ToString(), (await client.ReadAsync())!.Id);
        await client.ReadControlAsync("stream.caught-up");

        await shared.Log.AppendNumbersAsync(_stream, 6, 1);

        Assert.Equal(6, (await client.ReadEventAsync()).Number);
    }

    [Fact]
    public async Task Resume_from_a_time_starts_at_the_first_event_recorded_then()
    {
        await shared.Log.AppendNumbersAsync(_stream, 1, 3);
        await Eventually.TrueAsync(NextMillisecondAsync, SseClient.Patience, "a later millisecond", TestContext.Current.CancellationToken);
        await shared.Log.AppendNumbersAsync(_stream, 4, 3);
        var stored = await shared.Log.Reader.ReadAfterAsync(_stream, StreamPosition.Zero, 10, TestContext.Current.CancellationToken);
        var time = Rfc3339.Format(stored[3].RecordedAt);

        await using var client = await shared.Host.OpenAsync($"/streams/{_stream}/events?from={time}");
        var elsewhere = DateTimeOffset.FromUnixTimeMilliseconds(stored[3].RecordedAt).ToOffset(TimeSpan.FromHours(2))
            .ToString("yyyy-MM-dd'T'HH:mm:ss.fffzzz", CultureInfo.InvariantCulture);
        await using var offset = await shared.Host.OpenAsync($"/streams/{_stream}/events?from={elsewhere}");
        await using var future = await shared.Host.OpenAsync($"/streams/{_stream}/events?from=2999-01-01T00:00:00Z");

        Assert.Equal(4, (await client.ReadEventAsync()).Number);
        Assert.Equal(4, (await offset.ReadEventAsync()).Number);
        Assert.Equal(stored[5].Position.ToString(), (await future.ReadAsync())!.Id);

        async Task<bool> NextMillisecondAsync()
        {
            var reply = (StackExchange.Redis.RedisResult[])(await shared.Log.Database.ExecuteAsync("TIME"))!;
            var now = ((long)reply[0] * 1000) + ((long)reply[1] / 1000);
            return now > (await shared.Log.Reader.ReadMetaAsync(_stream, TestContext.Current.CancellationToken))!.RecordedAt + 1;
        }
    }

    [Fact]
    public async Task Resume_below_the_oldest_kept_is_told_what_is_missing()
    {
        var first = (await shared.Log.AppendNumbersAsync(_stream, 1, 10)).First;
        await shared.Log.TrimAsync(_stream, first with { Sequence = 6 });

        await using var client = await shared.Host.OpenAsync($"/streams/{_stream}/events", (first with { Sequence = 2 }).ToString());
        await client.ReadAnyAsync();

        var gap = (await client.ReadAnyAsync())!;
        Assert.Equal(
            $"event: stream.gap\ndata: {{\"stream\":\"{_stream}\",\"from\":\"{first.Epoch}-2\",\"to\":\"{first.Epoch}-6\",\"missed\":4,\"reason\":\"trimmed\"}}",
            gap.Raw);
        Assert.Equal(7, (await client.ReadAsync())!.Number);
    }

    [Fact]
    public async Task Resume_beyond_the_end_is_told_and_goes_on_live()
    {
        var last = (await shared.Log.AppendNumbersAsync(_stream, 1, 3)).Last;
        await using var client = await shared.Host.OpenAsync($"/streams/{_stream}/events", (last with { Sequence = 9 }).ToString());
        Assert.Equal($"{last.Epoch}-9", (await client.ReadAsync())!.Id);

        var gap = await client.ReadControlAsync("stream.gap");
        Assert.Equal(
            $"{{\"stream\":\"{_stream}\",\"from\":\"{last.Epoch}-9\",\"to\":\"{last}\",\"missed\":null,\"reason\":\"epoch\"}}", gap.Data);
        Assert.Equal(last.ToString(), (await client.ReadAsync())!.Id);
        await client.ReadControlAsync("stream.caught-up");
        await shared.Log.AppendNumbersAsync(_stream, 4, 1);
        Assert.Equal(4, (await client.ReadEventAsync()).Number);
    }

    [Fact]
    public async Task Resume_in_an_epoch_that_never_was_is_told_of_the_epoch()
    {
        var first = (await shared.Log.AppendNumbersAsync(_stream, 1, 2)).First;
        await using var client = await shared.Host.OpenAsync($"/streams/{_stream}/events", $"{first.Epoch - 1000}-7");
        await client.ReadAsync();

        var epoch = await client.ReadControlAsync("stream.epoch");

        Assert.Equal(
            $"{{\"stream\":\"{_stream}\",\"previous\":\"{first.Epoch - 1000}-7\",\"current\":\"{first}\",\"missed\":null}}", epoch.Data);
        Assert.Equal(1, (await client.ReadEventAsync()).Number);
    }

    [Fact]
    public async Task Types_filtered_out_events_still_move_the_cursor()
    {
        await shared.Log.AppendAsync(_stream, shared.Log.Event("A", "1"), shared.Log.Event("B", "2"), shared.Log.Event("C", "3"));
        var last = (await shared.Log.AppendAsync(_stream, shared.Log.Event("B", "4"))).Last;
        await using var client = await shared.Host.OpenAsync($"/streams/{_stream}/events?types=A,C");

        Assert.Equal(1, (await client.ReadEventAsync()).Number);
        Assert.Equal(3, (await client.ReadEventAsync()).Number);
        Assert.Equal($"id: {last}", (await client.ReadAsync())!.Raw);
        await client.ReadControlAsync("stream.caught-up");
    }

    [Fact]
    public async Task End_events_then_the_end_then_the_body_closes()
    {
        await shared.Log.AppendNumbersAsync(_stream, 1, 2);
        await using var live = await shared.Host.OpenAsync($"/streams/{_stream}/events");
        await live.ReadEventAsync();
        await live.ReadEventAsync();
        await live.ReadControlAsync("stream.caught-up");
        var last = (await shared.Log.AppendAsync(_stream, shared.Log.Event("WORKFLOW_COMPLETED", "{}"))).Last;
        await using var late = await shared.Host.OpenAsync($"/streams/{_stream}/events");

        Assert.Equal("WORKFLOW_COMPLETED", (await live.ReadEventAsync()).Event);
        var end = (await live.ReadToEndAsync()).Single();
        Assert.Equal(
            $"event: stream.end\ndata: {{\"stream\":\"{_stream}\",\"type\":\"WORKFLOW_COMPLETED\",\"position\":\"{last}\"}}", end.Raw);
        Assert.Equal(
            [null, "T", "T", "WORKFLOW_COMPLETED", "stream.end"], (await late.ReadToEndAsync()).Select(frame => frame.Event));
    }

    [Fact]
    public async Task End_a_filter_that_leaves_the_end_out_still_gets_it_with_its_position()
    {
        await shared.Log.AppendNumbersAsync(_stream, 1, 1);
        var last = (await shared.Log.AppendAsync(_stream, shared.Log.Event("STREAM_END"))).Last;
        await using var client = await shared.Host.OpenAsync($"/streams/{_stream}/events?types=X");

        var frames = await client.ReadToEndAsync();

        Assert.Equal(["id: " + last, "event: stream.end"], frames.Skip(1).Select(frame => frame.Raw.Split('\n')[0]));
    }

    [Theory]
    [InlineData("from=now", null)]
    [InlineData("", "{last}")]
    [InlineData("", "{later}")]
    public async Task End_a_reader_that_has_all_gets_204(string query, string? lastEventId)
    {
        var last = (await shared.Log.AppendAsync(_stream, shared.Log.Event(), shared.Log.Event("STREAM_END"))).Last;
        var id = lastEventId?.Replace("{last}", last.ToString(), StringComparison.Ordinal)
            .Replace("{later}", (last with { Sequence = 99 }).ToString(), StringComparison.Ordinal);

        await using var client = await shared.Host.OpenAsync($"/streams/{_stream}/events?{query}", id);

        Assert.Equal(204, client.Status);
    }

    [Fact]
    public async Task End_a_deleted_stream_ends_its_live_readers_and_can_begin_anew()
    {
        var last = (await shared.Log.AppendNumbersAsync(_stream, 1, 2)).Last;
        await using var client = await shared.Host.OpenAsync($"/streams/{_stream}/events");
        await client.ReadEventAsync();
        await client.ReadEventAsync();
        await client.ReadControlAsync("stream.caught-up");

        Assert.True(await shared.Log.Log.DeleteAsync(_stream, false, TestContext.Current.CancellationToken));

        var end = await client.ReadControlAsync("stream.end");
        Assert.Equal("stream.deleted", end.Json.GetProperty("type").GetString());
        Assert.Null(await client.ReadAsync());
        await using var again = await shared.Host.OpenAsync($"/streams/{_stream}/events", last.ToString());
        await shared.Log.AppendNumbersAsync(_stream, 3, 1);
        Assert.Equal(last.ToString(), (await again.ReadAsync())!.Id);
        while ((await again.ReadAsync())! is var frame && frame.Event != "T")
        {
            Assert.True(frame.Event is "stream.epoch" or "stream.caught-up" || frame.Data is null, frame.Raw);
        }
    }

    [Theory]
    [InlineData("from=yesterday", "from")]
    [InlineData("from=", "from")]
    [InlineData("lastEventId=12", "lastEventId")]
    [InlineData("types=", "types")]
    [InlineData("named=maybe", "named")]
    [InlineData("policy=drop&lag=0", "lag")]
    [InlineData("policy=drop&lag=1000001", "lag")]
    [InlineData("policy=sometimes", "policy")]
    [InlineData("tier=cold", "tier")]
    public async Task Open_a_malformed_parameter_is_named(string query, string parameter)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/streams/{_stream}/events?{query}");
        request.Headers.Accept.ParseAdd("text/event-stream");

        using var response = await shared.Host.Client.SendAsync(request, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        using var problem = JsonDocument.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        Assert.Equal(parameter, problem.RootElement.GetProperty("parameter").GetString());
        Assert.StartsWith("urn:aspirestreaming:problem:", problem.RootElement.GetProperty("type").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Open_a_malformed_header_or_name_is_400()
    {
        await using var header = await shared.Host.OpenAsync($"/streams/{_stream}/events", "x-y");
        await using var name = await shared.Host.OpenAsync("/streams/a%20b/events");

        Assert.Equal(400, header.Status);
        Assert.Equal(400, name.Status);
    }

    [Theory]
    [InlineData("text/event-stream", "text/event-stream")]
    [InlineData("application/json;q=0.9, text/event-stream;q=0.1", "text/event-stream")]
    [InlineData("application/json", "application/json")]
    [InlineData("*/*", "application/json")]
    [InlineData("text/event-stream;q=0, */*", "application/json")]
    [InlineData(null, "application/json")]
    [InlineData("text/html", null)]
    public async Task Accept_decides_the_form(string? accept, string? expected)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/streams/{_stream}/events");
        if (accept is not null)
        {
            request.Headers.Accept.ParseAdd(accept);
        }

        using var response = await shared.Host.Client.SendAsync(
            request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);

        Assert.Equal(expected is null ? HttpStatusCode.NotAcceptable : HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(expected ?? "application/problem+json", response.Content.Headers.ContentType?.MediaType);
    }

    [Fact]
    public async Task Policy_drop_skips_and_says_so_but_never_a_critical_event()
    {
        await shared.Log.AppendNumbersAsync(_stream, 1, 50);
        var critical = (await shared.Log.AppendAsync(_stream, shared.Log.Event("ERROR_OCCURRED", "51"))).Last;
        var last = (await shared.Log.AppendNumbersAsync(_stream, 52, 49)).Last;
        await using var client = await shared.Host.OpenAsync($"/streams/{_stream}/events?policy=drop&lag=10");
        await client.ReadAsync();

        var before = await client.ReadControlAsync("stream.dropped");
        var kept = await client.ReadEventAsync();
        var after = await client.ReadControlAsync("stream.dropped");
        await shared.Log.AppendNumbersAsync(_stream, 101, 1);

        Assert.Equal($"{{\"stream\":\"{_stream}\",\"from\":\"0-0\",\"to\":\"{critical.Epoch}-50\",\"missed\":50}}", before.Data);
        Assert.Equal(51, kept.Number);
        Assert.Equal($"{{\"stream\":\"{_stream}\",\"from\":\"{critical}\",\"to\":\"{last}\",\"missed\":49}}", after.Data);
        Assert.Equal(101, (await client.ReadEventAsync()).Number);
    }

    [Fact]
    public async Task Policy_disconnect_drains_the_reader_that_fell_behind()
    {
        await shared.Log.AppendNumbersAsync(_stream, 1, 20);
        await using var client = await shared.Host.OpenAsync($"/streams/{_stream}/events?policy=disconnect&lag=10");
        await client.ReadAsync();

        var drain = await client.ReadControlAsync("stream.drain");

        Assert.Equal("lag", drain.Json.GetProperty("reason").GetString());
        Assert.InRange(drain.Json.GetProperty("retryMs").GetInt32(), 1_000, 5_000);
        Assert.Null(await client.ReadAsync());
    }
}
