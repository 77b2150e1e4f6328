using System.Net.Http.Json;
using System.Text.Json;
using AspireStreaming.StreamApi.Tests.Support;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;

namespace AspireStreaming.StreamApi.Tests.Tiers;

public sealed class ArchiveTierTests(ArchiveWorld world)
{
    private readonly string _stream = TestLog.NewStream();

    [Fact]
    public async Task Replay_from_archive_log_and_window_has_no_seam()
    {
        var first = (await world.Log.AppendNumbersAsync(_stream, 1, 900)).First;
        await world.ArchivedAsync(_stream, first with { Sequence = 900 });
        await world.Log.TrimAsync(_stream, first with { Sequence = 600 });
        await using var client = await world.Host.OpenAsync($"/streams/{_stream}/events");
        var appending = Task.Run(async () =>
        {
            for (var number = 901; number <= 1_000; number++)
            {
                await world.Log.AppendNumbersAsync(_stream, number, 1);
            }
        }, TestContext.Current.CancellationToken);

        for (var number = 1; number <= 1_000; number++)
        {
            var frame = await client.ReadAsync();
            if (frame!.IsControl || frame.Data is null)
            {
                Assert.True(frame.Event is null or "stream.caught-up", frame.Raw);
                number--;
                continue;
            }

            Assert.Equal(number, frame.Number);
        }

        await appending;
    }

    [Theory]
    [InlineData("T")]
    [InlineData("WORKFLOW_COMPLETED")]
    public async Task Replay_a_quiet_stream_whose_archived_end_redis_has_lost(string lastType)
    {
        await world.Log.AppendNumbersAsync(_stream, 1, 2);
        var last = (await world.Log.AppendAsync(_stream, world.Log.Event(lastType, "3"))).Last;
        await world.ArchivedAsync(_stream, last);

        // As a replica that lagged: without the last event, and with an epoch that was raised since.
        var partition = StreamName.PartitionOf(_stream);
        await world.Log.Database.ExecuteAsync("XDEL", StreamKeys.Stream(_stream), last.ToString());
        await world.Log.Database.HashSetAsync(StreamKeys.Meta(_stream), "s", last.Sequence - 1);
        await world.Log.Database.HashDeleteAsync(StreamKeys.Meta(_stream), ["end", "endtype"]);
        await world.Log.Database.KeyDeleteAsync(StreamKeys.Process(partition));
        await world.Log.Fence.SettleAsync(partition, TestContext.Current.CancellationToken);
        await using var host = await world.StartHostAsync();
        await using var client = await host.OpenAsync($"/streams/{_stream}/events");

        for (var number = 1; number <= 3; number++)
        {
            Assert.Equal(number, (await client.ReadEventAsync()).Number);
        }

        var control = await client.ReadControlAsync(lastType == "T" ? "stream.caught-up" : "stream.end");
        Assert.Equal(last.ToString(), control.Json.GetProperty("position").GetString());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Replay_a_stream_that_the_hot_log_no_longer_has(bool forgotten)
    {
        var last = (await world.Log.AppendNumbersAsync(_stream, 1, 10)).Last;
        await world.ArchivedAsync(_stream, last);
        await (forgotten ? world.ForgetAsync(_stream) : world.ExpireAsync(_stream));

        await using var client = await world.Host.OpenAsync($"/streams/{_stream}/events", (last with { Sequence = 4 }).ToString());
        await client.ReadAsync();
        for (var number = 5; number <= 10; number++)
        {
            Assert.Equal(number, (await client.ReadAsync())!.Number);
        }

        Assert.Equal(last.ToString(), (await client.ReadControlAsync("stream.caught-up")).Json.GetProperty("position").GetString());
        await world.Log.AppendNumbersAsync(_stream, 11, 1);
        if (forgotten)
        {
            var border = await client.ReadControlAsync("stream.epoch");
            Assert.Equal(0, border.Json.GetProperty("missed").GetInt32());
            Assert.Equal(last.ToString(), border.Json.GetProperty("previous").GetString());
        }

        Assert.Equal(11, (await client.ReadEventAsync()).Number);
    }

    [Fact]
    public async Task Replay_over_an_epoch_border_says_so_once()
    {
        var old = (await world.Log.AppendNumbersAsync(_stream, 1, 5)).Last;
        await world.ArchivedAsync(_stream, old);
        await world.ForgetAsync(_stream);
        var next = (await world.Log.AppendNumbersAsync(_stream, 6, 5)).First;
        Assert.True(next.Epoch > old.Epoch);

        await using var client = await world.Host.OpenAsync($"/streams/{_stream}/events");
        await client.ReadAsync();
        for (var number = 1; number <= 5; number++)
        {
            Assert.Equal(number, (await client.ReadAsync())!.Number);
        }

        Assert.Equal(
            $"{{\"stream\":\"{_stream}\",\"previous\":\"{old}\",\"current\":\"{next}\",\"missed\":0}}", (await client.ReadControlAsync("stream.epoch")).Data);
        for (var number = 6; number <= 10; number++)
        {
            Assert.Equal(number, (await client.ReadAsync())!.Number);
        }
    }

    [Fact]
    public async Task Replay_of_an_ended_stream_from_the_archive_ends()
    {
        await world.Log.AppendNumbersAsync(_stream, 1, 2);
        var last = (await world.Log.AppendAsync(_stream, world.Log.Event("WORKFLOW_COMPLETED", "3"))).Last;
        await world.ArchivedAsync(_stream, last);
        await world.ForgetAsync(_stream);

        await using var client = await world.Host.OpenAsync($"/streams/{_stream}/events");
        await using var late = await world.Host.OpenAsync($"/streams/{_stream}/events", last.ToString());

        Assert.Equal(
            [null, "T", "T", "WORKFLOW_COMPLETED", "stream.end"], (await client.ReadToEndAsync()).Where(frame => !frame.IsComment).Select(frame => frame.Event));
        Assert.Equal(204, late.Status);
    }

    [Fact]
    public async Task Pages_read_one_tier_if_asked()
    {
        var first = (await world.Log.AppendNumbersAsync(_stream, 1, 10)).First;
        await world.ArchivedAsync(_stream, first with { Sequence = 10 });
        await world.Log.TrimAsync(_stream, first with { Sequence = 6 });

        var all = await GetAsync("");
        var archive = await GetAsync("tier=archive");
        var log = await GetAsync("tier=log");
        var down = await GetAsync("order=desc&limit=7");
        var further = await GetAsync($"order=desc&from={down.GetProperty("next").GetString()}");

        Assert.Equal(Enumerable.Range(1, 10), Numbers(all));
        Assert.Equal(Enumerable.Range(1, 10), Numbers(archive));
        Assert.Equal(Enumerable.Range(7, 4), Numbers(log));
        Assert.Equal("trimmed", log.GetProperty("gap").GetProperty("reason").GetString());
        Assert.Equal(JsonValueKind.Null, all.GetProperty("gap").ValueKind);
        Assert.Equal(Enumerable.Range(4, 7).Reverse(), Numbers(down));
        Assert.Equal(Enumerable.Range(1, 3).Reverse(), Numbers(further));
        Assert.True(further.GetProperty("caughtUp").GetBoolean());
    }

    [Fact]
    public async Task From_a_time_before_the_hot_log_begins_in_the_archive()
    {
        var first = (await world.Log.AppendNumbersAsync(_stream, 1, 5)).First;
        await world.ArchivedAsync(_stream, first with { Sequence = 5 });
        await world.Log.TrimAsync(_stream, first with { Sequence = 3 });

        var page = await GetAsync("from=2020-01-01T00:00:00Z");

        Assert.Equal(Enumerable.Range(1, 5), Numbers(page));
    }

    [Fact]
    public async Task Streams_of_the_archive_are_listed_too()
    {
        var archived = TestLog.NewStream("cold");
        var last = (await world.Log.AppendNumbersAsync(archived, 1, 3)).Last;
        await world.Log.AppendNumbersAsync(_stream, 1, 2);
        await world.ArchivedAsync(archived, last);
        await world.ArchivedAsync(_stream, StreamPosition.Zero);
        await world.ForgetAsync(archived);

        var found = new Dictionary<string, JsonElement>();
        string? cursor = null;
        do
        {
            var page = await world.Host.Client.GetFromJsonAsync<JsonElement>(
                $"/streams?limit=4{(cursor is null ? "" : "&cursor=" + cursor)}", TestContext.Current.CancellationToken);
            foreach (var item in page.GetProperty("streams").EnumerateArray())
            {
                found.Add(item.GetProperty("name").GetString()!, item);
            }

            cursor = page.GetProperty("next").GetString();
        }
        while (cursor is not null);

        Assert.Equal(3, found[archived].GetProperty("count").GetInt64());
        Assert.Equal(last.ToString(), found[archived].GetProperty("archivedTo").GetString());
        Assert.Equal(2, found[_stream].GetProperty("count").GetInt64());
    }

    [Fact]
    public async Task Deleted_from_the_hot_log_only_the_archive_still_replays_it()
    {
        var last = (await world.Log.AppendNumbersAsync(_stream, 1, 3)).Last;
        await world.ArchivedAsync(_stream, last);
        Assert.True(await world.Log.Log.DeleteAsync(_stream, false, TestContext.Current.CancellationToken));
        await world.Log.AppendNumbersAsync(_stream, 4, 1);

        await using var client = await world.Host.OpenAsync($"/streams/{_stream}/events");

        var numbers = new List<int>();
        while (numbers.Count < 4)
        {
            numbers.Add((await client.ReadEventAsync()).Number);
        }

        Assert.Equal(Enumerable.Range(1, 4), numbers);
    }

    private static IEnumerable<int> Numbers(JsonElement page) =>
        page.GetProperty("events").EnumerateArray().Select(item => item.GetProperty("data").GetInt32());

    private Task<JsonElement> GetAsync(string query) =>
        world.Host.Client.GetFromJsonAsync<JsonElement>($"/streams/{_stream}/events?{query}", TestContext.Current.CancellationToken);
}
