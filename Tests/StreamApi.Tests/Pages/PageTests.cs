using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using AspireStreaming.StreamApi.Tests.Support;

namespace AspireStreaming.StreamApi.Tests.Pages;

public sealed class PageTests(SharedHost shared)
{
    private readonly string _stream = TestLog.NewStream();

    [Fact]
    public async Task Page_an_unknown_stream_is_empty()
    {
        using var response = await shared.Host.Client.GetAsync($"/streams/{_stream}/events", TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(
            $"{{\"stream\":\"{_stream}\",\"events\":[],\"next\":\"0-0\",\"caughtUp\":true,\"gap\":null,\"end\":null}}",
            await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Page_upwards_next_leads_through_all_of_it()
    {
        await shared.Log.AppendNumbersAsync(_stream, 1, 25);
        var next = "start";
        var numbers = new List<int>();
        var pages = 0;
        JsonElement page;
        do
        {
            page = await GetAsync($"from={next}&limit=10");
            numbers.AddRange(Numbers(page));
            next = page.GetProperty("next").GetString();
            pages++;
        }
        while (!page.GetProperty("caughtUp").GetBoolean());

        Assert.Equal(Enumerable.Range(1, 25), numbers);
        Assert.Equal(3, pages);
    }

    [Fact]
    public async Task Page_downwards_next_leads_to_the_beginning()
    {
        await shared.Log.AppendNumbersAsync(_stream, 1, 25);

        var first = await GetAsync("order=desc&limit=10");
        var second = await GetAsync($"order=desc&limit=20&from={first.GetProperty("next").GetString()}");

        Assert.Equal(Enumerable.Range(16, 10).Reverse(), Numbers(first));
        Assert.False(first.GetProperty("caughtUp").GetBoolean());
        Assert.Equal(Enumerable.Range(1, 15).Reverse(), Numbers(second));
        Assert.True(second.GetProperty("caughtUp").GetBoolean());
    }

    [Fact]
    public async Task Page_exactly_full_knows_whether_it_is_the_last()
    {
        await shared.Log.AppendNumbersAsync(_stream, 1, 10);

        Assert.True((await GetAsync("limit=10")).GetProperty("caughtUp").GetBoolean());
        Assert.False((await GetAsync("limit=9")).GetProperty("caughtUp").GetBoolean());
    }

    [Fact]
    public async Task Page_of_an_ended_stream_tells_the_end_where_it_is_reached()
    {
        var last = (await shared.Log.AppendAsync(_stream, shared.Log.Event(), shared.Log.Event("WORKFLOW_FAILED"))).Last;

        var whole = await GetAsync("");
        var part = await GetAsync("limit=1");
        var down = await GetAsync("order=desc&limit=1");

        Assert.Equal("WORKFLOW_FAILED", whole.GetProperty("end").GetProperty("type").GetString());
        Assert.Equal(last.ToString(), whole.GetProperty("end").GetProperty("position").GetString());
        Assert.Equal(JsonValueKind.Null, part.GetProperty("end").ValueKind);
        Assert.Equal("WORKFLOW_FAILED", down.GetProperty("end").GetProperty("type").GetString());
    }

    [Fact]
    public async Task Page_after_a_hole_tells_the_gap()
    {
        var first = (await shared.Log.AppendNumbersAsync(_stream, 1, 10)).First;
        await shared.Log.TrimAsync(_stream, first with { Sequence = 5 });

        var page = await GetAsync($"from={first}");
        var whole = await GetAsync("");

        Assert.Equal("trimmed", page.GetProperty("gap").GetProperty("reason").GetString());
        Assert.Equal(4, page.GetProperty("gap").GetProperty("missed").GetInt32());
        Assert.Equal(Enumerable.Range(6, 5), Numbers(page));
        Assert.Equal("0-0", whole.GetProperty("gap").GetProperty("from").GetString());
        Assert.Equal(JsonValueKind.Null, whole.GetProperty("gap").GetProperty("missed").ValueKind);
    }

    [Fact]
    public async Task Page_from_beyond_the_end_tells_the_gap_and_goes_on_at_the_end()
    {
        var last = (await shared.Log.AppendNumbersAsync(_stream, 1, 3)).Last;

        var page = await GetAsync($"from={last with { Sequence = 7 }}");

        Assert.Equal(last.ToString(), page.GetProperty("next").GetString());
        Assert.Equal("epoch", page.GetProperty("gap").GetProperty("reason").GetString());
    }

    [Fact]
    public async Task Page_with_types_scans_on()
    {
        await shared.Log.AppendNumbersAsync(_stream, 1, 600);
        await shared.Log.AppendAsync(_stream, shared.Log.Event("RARE", "601"));

        var page = await GetAsync("types=RARE&limit=1");

        Assert.Equal([601], Numbers(page));
    }

    [Fact]
    public async Task Wait_an_event_in_time_ends_it()
    {
        var polling = GetAsync("wait=20");
        await shared.Log.AppendNumbersAsync(_stream, 1, 1);

        Assert.Equal([1], Numbers(await polling));
    }

    [Fact]
    public async Task Wait_without_an_event_comes_back_empty()
    {
        await shared.Log.AppendNumbersAsync(_stream, 1, 1);
        var watch = Stopwatch.StartNew();

        var page = await GetAsync("from=now&wait=0.3");

        Assert.InRange(watch.ElapsedMilliseconds, 250, 10_000);
        Assert.Empty(Numbers(page));
        Assert.True(page.GetProperty("caughtUp").GetBoolean());
    }

    [Fact]
    public async Task Wait_the_end_of_the_stream_ends_it()
    {
        await shared.Log.AppendNumbersAsync(_stream, 1, 1);
        var polling = GetAsync("from=now&wait=20&types=NONE");
        await shared.Log.AppendAsync(_stream, shared.Log.Event("STREAM_END"));

        Assert.Equal("STREAM_END", (await polling).GetProperty("end").GetProperty("type").GetString());
    }

    [Theory]
    [InlineData("limit=0", "limit")]
    [InlineData("limit=1001", "limit")]
    [InlineData("wait=61", "wait")]
    [InlineData("wait=-1", "wait")]
    [InlineData("order=random", "order")]
    public async Task Page_a_malformed_parameter_is_named(string query, string parameter)
    {
        using var response = await shared.Host.Client.GetAsync($"/streams/{_stream}/events?{query}", TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        var problem = await response.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken);
        Assert.Equal(parameter, problem.GetProperty("parameter").GetString());
    }

    [Fact]
    public async Task Streams_are_listed_newest_first_in_pages()
    {
        string[] names = [.. Enumerable.Range(0, 7).Select(_ => TestLog.NewStream("list"))];
        foreach (var name in names)
        {
            await shared.Log.AppendNumbersAsync(name, 1, 3);
        }

        var found = new List<string>();
        string? cursor = null;
        do
        {
            var page = await shared.Host.Client.GetFromJsonAsync<JsonElement>(
                $"/streams?limit=3{(cursor is null ? "" : "&cursor=" + cursor)}", TestContext.Current.CancellationToken);
            Assert.InRange(page.GetProperty("streams").GetArrayLength(), 1, 3);
            found.AddRange(page.GetProperty("streams").EnumerateArray().Select(item => item.GetProperty("name").GetString()!));
            cursor = page.GetProperty("next").GetString();
        }
        while (cursor is not null);

        Assert.Equal(found.Count, found.Distinct().Count());
        Assert.Equal(names.Order(), found.Where(name => name.StartsWith("list-", StringComparison.Ordinal)).Order());
    }

    [Fact]
    public async Task Stream_is_described()
    {
        var appended = await shared.Log.AppendNumbersAsync(_stream, 1, 3);

        var info = await shared.Host.Client.GetFromJsonAsync<JsonElement>($"/streams/{_stream}", TestContext.Current.CancellationToken);
        using var unknown = await shared.Host.Client.GetAsync($"/streams/{_stream}x", TestContext.Current.CancellationToken);

        Assert.Equal(
            $"{{\"name\":\"{_stream}\",\"first\":\"{appended.First}\",\"last\":\"{appended.Last}\",\"count\":3,"
            + "\"archivedTo\":\"0-0\",\"subscribers\":0,\"state\":\"running\",\"unanswered\":[],\"partial\":false}",
            info.GetRawText());
        Assert.Equal(HttpStatusCode.NotFound, unknown.StatusCode);
    }

    [Theory]
    [InlineData("cursor=nonsense")]
    [InlineData("limit=0")]
    [InlineData("limit=1001")]
    public async Task Streams_a_malformed_parameter_is_400(string query)
    {
        using var response = await shared.Host.Client.GetAsync($"/streams?{query}", TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
    }

    private static IEnumerable<int> Numbers(JsonElement page) =>
        page.GetProperty("events").EnumerateArray().Select(item => item.GetProperty("data").GetInt32());

    private async Task<JsonElement> GetAsync(string query) => await shared.Host.Client.GetFromJsonAsync<JsonElement>(
        string.Create(CultureInfo.InvariantCulture, $"/streams/{_stream}/events?{query}"), TestContext.Current.CancellationToken);
}
