using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using AspireStreaming.StreamApi.Tests.Support;
using AspireStreaming.StreamApi.Tests.Tiers;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;
using AspireStreaming.TestSupport;

namespace AspireStreaming.StreamApi.Tests.Pages;

/// <summary>The sentences on pages of the contract's section 4 that <see cref="PageTests"/> does not have.</summary>
public sealed class PageContractTests(SharedHost shared, ArchiveWorld world)
{
    private readonly string _stream = TestLog.NewStream();

    [Fact]
    public async Task Limit_is_100_by_default_and_1000_at_most()
    {
        await shared.Log.AppendNumbersAsync(_stream, 1, 1_000);
        await shared.Log.AppendNumbersAsync(_stream, 1_001, 10);

        Assert.Equal(Enumerable.Range(1, 100), Numbers(await GetAsync("")));
        Assert.Equal(Enumerable.Range(1, 1_000), Numbers(await GetAsync("limit=1000")));
        Assert.Equal(Enumerable.Range(911, 100).Reverse(), Numbers(await GetAsync("order=desc")));
    }

    [Theory]
    [InlineData("", "0-0")]
    [InlineData("from=now", "0-0")]
    [InlineData("from=2026-01-01T00:00:00Z", "0-0")]
    [InlineData("order=desc", "0-0")]
    [InlineData("order=desc&from=start", "0-0")]
    [InlineData("types=X", "0-0")]
    public async Task Unknown_stream_is_empty_whatever_is_asked(string query, string next)
    {
        var page = await GetAsync(query);

        Assert.Empty(Numbers(page));
        Assert.Equal(next, page.GetProperty("next").GetString());
        Assert.True(page.GetProperty("caughtUp").GetBoolean());
        Assert.Equal(JsonValueKind.Null, page.GetProperty("gap").ValueKind);
        Assert.Equal(JsonValueKind.Null, page.GetProperty("end").ValueKind);
    }

    [Theory]
    [InlineData("")]
    [InlineData("order=desc")]
    public async Task Types_a_page_scans_ten_thousand_events_at_most(string order)
    {
        for (var number = 1; number <= 10_500; number += 500)
        {
            await shared.Log.AppendNumbersAsync(_stream, number, 500);
        }

        var page = await GetAsync($"types=X&limit=1&{order}");
        var next = StreamPosition.Parse(System.Text.Encoding.ASCII.GetBytes(page.GetProperty("next").GetString()!));
        var rest = await GetAsync($"types=X&limit=1&{order}&from={next}");

        Assert.Empty(Numbers(page));
        Assert.False(page.GetProperty("caughtUp").GetBoolean());
        Assert.Equal(order.Length == 0 ? 10_000 : 501, next.Sequence);
        Assert.Empty(Numbers(rest));
        Assert.True(rest.GetProperty("caughtUp").GetBoolean());
    }

    [Fact]
    public async Task From_a_time_goes_up_from_it_and_down_from_it()
    {
        await shared.Log.AppendNumbersAsync(_stream, 1, 3);
        var before = (await shared.Log.Reader.ReadMetaAsync(_stream, TestContext.Current.CancellationToken))!.RecordedAt;
        await Eventually.TrueAsync(
            async () => await shared.Log.ServerTimeAsync() > before + 1, SseClient.Patience, "a later millisecond", TestContext.Current.CancellationToken);
        await shared.Log.AppendNumbersAsync(_stream, 4, 3);
        var time = Rfc3339.Format(
            (await shared.Log.Reader.ReadAfterAsync(_stream, StreamPosition.Zero, 10, TestContext.Current.CancellationToken))[3].RecordedAt);

        var up = await GetAsync($"from={time}");
        var down = await GetAsync($"from={time}&order=desc");
        var future = await GetAsync("from=2999-01-01T00:00:00Z&order=desc&limit=1");
        var past = await GetAsync("from=2000-01-01T00:00:00Z&order=desc");

        Assert.Equal([4, 5, 6], Numbers(up));
        Assert.Equal([3, 2, 1], Numbers(down));
        Assert.All([up, down, future, past], page => Assert.Equal(JsonValueKind.Null, page.GetProperty("gap").ValueKind));
        Assert.Equal([6], Numbers(future));
        Assert.Empty(Numbers(past));
        Assert.True(past.GetProperty("caughtUp").GetBoolean());
    }

    [Fact]
    public async Task Header_of_the_last_event_wins_over_the_query()
    {
        var last = (await shared.Log.AppendNumbersAsync(_stream, 1, 5)).Last;
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/streams/{_stream}/events?lastEventId={last with { Sequence = 1 }}&from=now");
        request.Headers.Add("Last-Event-ID", (last with { Sequence = 3 }).ToString());

        using var response = await shared.Host.Client.SendAsync(request, TestContext.Current.CancellationToken);

        var page = await response.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken);
        Assert.Equal([4, 5], Numbers(page));
    }

    [Theory]
    [InlineData("from=5", "from")]
    [InlineData("from=5-", "from")]
    [InlineData("from=-1-1", "from")]
    [InlineData("from=2026-13-01T00:00:00Z", "from")]
    [InlineData("lastEventId=now", "lastEventId")]
    [InlineData("types=,", "types")]
    [InlineData("limit=ten", "limit")]
    [InlineData("wait=1e1", "wait")]
    public async Task Malformed_is_400_and_named(string query, string parameter)
    {
        using var response = await shared.Host.Client.GetAsync($"/streams/{_stream}/events?{query}", TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        var problem = await response.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken);
        Assert.Equal(parameter, problem.GetProperty("parameter").GetString());
    }

    [Fact]
    public async Task Ended_stream_is_told_at_its_end_without_waiting()
    {
        var last = (await shared.Log.AppendAsync(_stream, shared.Log.Event(), shared.Log.Event("STREAM_END"))).Last;

        var page = await GetAsync($"from={last}&wait=60");

        Assert.Empty(page.GetProperty("events").EnumerateArray());
        Assert.Equal(last.ToString(), page.GetProperty("next").GetString());
        Assert.Equal("STREAM_END", page.GetProperty("end").GetProperty("type").GetString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("from={0}")]
    public async Task Unproven_border_between_two_events_shows_in_the_gap(string from)
    {
        var old = (await shared.Log.AppendNumbersAsync(_stream, 1, 3)).Last;
        var current = new StreamPosition(old.Epoch + 10, 4);
        await shared.Log.InsertAsync(_stream, current, null, shared.Log.Event(data: "4"), shared.Log.Event(data: "5"));
        var query = string.Format(CultureInfo.InvariantCulture, from, old with { Sequence = 1 });

        var first = await GetAsync(query);
        var second = await GetAsync($"from={first.GetProperty("next").GetString()}");

        Assert.Equal(3, Numbers(first)[^1]);
        Assert.False(first.GetProperty("caughtUp").GetBoolean());
        Assert.Equal(JsonValueKind.Null, first.GetProperty("gap").ValueKind);
        Assert.Equal([4, 5], Numbers(second));
        AssertGap(second, old, current with { Sequence = 3 }, null, "epoch");
        Assert.True(second.GetProperty("caughtUp").GetBoolean());
    }

    [Fact]
    public async Task Unproven_border_shows_downwards_too()
    {
        var old = (await shared.Log.AppendNumbersAsync(_stream, 1, 3)).Last;
        var current = new StreamPosition(old.Epoch + 10, 4);
        await shared.Log.InsertAsync(_stream, current, null, shared.Log.Event(data: "4"), shared.Log.Event(data: "5"));

        var first = await GetAsync("order=desc");
        var second = await GetAsync($"order=desc&from={first.GetProperty("next").GetString()}");

        Assert.Equal([5, 4], Numbers(first));
        Assert.False(first.GetProperty("caughtUp").GetBoolean());
        Assert.Equal([3, 2, 1], Numbers(second));
        AssertGap(second, old, current with { Sequence = 3 }, null, "epoch");
        Assert.True(second.GetProperty("caughtUp").GetBoolean());
    }

    [Theory]
    [InlineData("")]
    [InlineData("order=desc")]
    public async Task Proven_border_is_no_gap(string order)
    {
        var old = (await shared.Log.AppendNumbersAsync(_stream, 1, 3)).Last;
        await shared.Log.InsertAsync(_stream, new StreamPosition(old.Epoch + 10, 4), old, shared.Log.Event(data: "4"));

        var numbers = new List<int>();
        var page = await GetAsync(order);
        numbers.AddRange(Numbers(page));
        while (!page.GetProperty("caughtUp").GetBoolean())
        {
            Assert.Equal(JsonValueKind.Null, page.GetProperty("gap").ValueKind);
            page = await GetAsync($"{order}&from={page.GetProperty("next").GetString()}");
            numbers.AddRange(Numbers(page));
        }

        Assert.Equal(JsonValueKind.Null, page.GetProperty("gap").ValueKind);
        Assert.Equal([1, 2, 3, 4], order.Length == 0 ? numbers : Enumerable.Reverse(numbers));
    }

    [Fact]
    public async Task Downwards_from_a_position_in_a_later_epoch_crosses_a_proven_border_silently()
    {
        var old = (await shared.Log.AppendNumbersAsync(_stream, 1, 3)).Last;
        var current = new StreamPosition(old.Epoch + 10, 4);
        await shared.Log.InsertAsync(_stream, current, old, shared.Log.Event(data: "4"));

        var page = await GetAsync($"order=desc&from={current}");

        Assert.Equal([3, 2, 1], Numbers(page));
        Assert.Equal(JsonValueKind.Null, page.GetProperty("gap").ValueKind);
    }

    [Fact]
    public async Task Downwards_a_hole_and_a_trimmed_beginning_show_in_the_gap()
    {
        var first = (await shared.Log.AppendNumbersAsync(_stream, 1, 10)).First;
        await shared.Log.TrimAsync(_stream, first with { Sequence = 3 });
        await shared.Log.Database.ExecuteAsync("XDEL", StreamKeys.Stream(_stream), $"{first.Epoch}-6", $"{first.Epoch}-7");

        var above = await GetAsync("order=desc");
        var below = await GetAsync($"order=desc&from={above.GetProperty("next").GetString()}");
        var bottom = await GetAsync($"order=desc&from={below.GetProperty("next").GetString()}");

        Assert.Equal([10, 9, 8], Numbers(above));
        Assert.False(above.GetProperty("caughtUp").GetBoolean());
        Assert.Equal([5, 4], Numbers(below));
        AssertGap(below, first with { Sequence = 5 }, first with { Sequence = 7 }, 2, "unknown");
        Assert.False(below.GetProperty("caughtUp").GetBoolean());
        Assert.Empty(Numbers(bottom));
        AssertGap(bottom, StreamPosition.Zero, first with { Sequence = 3 }, null, "trimmed");
        Assert.True(bottom.GetProperty("caughtUp").GetBoolean());
    }

    [Fact]
    public async Task Downwards_what_the_log_lost_comes_from_the_archive()
    {
        var first = (await world.Log.AppendNumbersAsync(_stream, 1, 10)).First;
        await world.ArchivedAsync(_stream, first with { Sequence = 10 });
        await world.Log.Database.ExecuteAsync("XDEL", StreamKeys.Stream(_stream), $"{first.Epoch}-6", $"{first.Epoch}-7");

        var page = await world.Host.Client.GetFromJsonAsync<JsonElement>(
            $"/streams/{_stream}/events?order=desc", TestContext.Current.CancellationToken);

        Assert.Equal(Enumerable.Range(1, 10).Reverse(), Numbers(page));
        Assert.Equal(JsonValueKind.Null, page.GetProperty("gap").ValueKind);
    }

    [Fact]
    public async Task Downwards_from_beyond_the_end_tells_the_gap()
    {
        var last = (await shared.Log.AppendNumbersAsync(_stream, 1, 3)).Last;

        var page = await GetAsync($"order=desc&from={last with { Sequence = 9 }}");

        Assert.Equal([3, 2, 1], Numbers(page));
        AssertGap(page, last with { Sequence = 9 }, last, null, "epoch");
    }

    [Fact]
    public async Task Long_poll_hands_over_a_gap_at_once()
    {
        var first = (await shared.Log.AppendNumbersAsync(_stream, 1, 3)).First;
        await shared.Log.TrimAsync(_stream, first with { Sequence = 3 });

        var page = await GetAsync($"from={first}&wait=60");

        Assert.Empty(Numbers(page));
        AssertGap(page, first, first with { Sequence = 3 }, 2, "trimmed");
        Assert.Equal((first with { Sequence = 3 }).ToString(), page.GetProperty("next").GetString());
    }

    [Fact]
    public async Task Long_poll_with_types_waits_for_a_wanted_one()
    {
        var polling = GetAsync("wait=20&types=X");
        await shared.Log.AppendNumbersAsync(_stream, 1, 3);
        await shared.Log.AppendAsync(_stream, shared.Log.Event("X", "4"));

        var page = await polling;

        Assert.Equal([4], Numbers(page));
    }

    private static void AssertGap(JsonElement page, StreamPosition from, StreamPosition to, int? missed, string reason)
    {
        var gap = page.GetProperty("gap");
        Assert.Equal(from.ToString(), gap.GetProperty("from").GetString());
        Assert.Equal(to.ToString(), gap.GetProperty("to").GetString());
        Assert.Equal(missed, gap.GetProperty("missed").ValueKind == JsonValueKind.Null ? null : gap.GetProperty("missed").GetInt32());
        Assert.Equal(reason, gap.GetProperty("reason").GetString());
    }

    private static int[] Numbers(JsonElement page) =>
        [.. page.GetProperty("events").EnumerateArray().Select(item => item.GetProperty("data").GetInt32())];

    private async Task<JsonElement> GetAsync(string query) => await shared.Host.Client.GetFromJsonAsync<JsonElement>(
        $"/streams/{_stream}/events?{query}", TestContext.Current.CancellationToken);
}
