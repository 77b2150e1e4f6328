using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using AspireStreaming.StreamApi.Tests.Tiers;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;

namespace AspireStreaming.StreamApi.Tests.Listing;

/// <summary>What is told of streams while one of the stores is away, or has forgotten them.</summary>
public sealed class ListingFaultTests : IAsyncLifetime
{
    private readonly ArchiveWorld _world = new();
    private readonly string[] _streams = [.. Enumerable.Range(0, 3).Select(number => $"listed-{number}")];
    private readonly Dictionary<string, StreamPosition> _last = [];

    public async ValueTask InitializeAsync()
    {
        await _world.InitializeAsync();
        foreach (var stream in _streams)
        {
            _last[stream] = (await _world.Log.AppendNumbersAsync(stream, 1, 3)).Last;
        }

        foreach (var stream in _streams)
        {
            await _world.ArchivedAsync(stream, _last[stream]);
        }
    }

    public ValueTask DisposeAsync() => _world.DisposeAsync();

    [Fact]
    public async Task Without_redis_what_the_archive_has_is_told_and_called_partial()
    {
        await _world.Redis.StopAsync(TestContext.Current.CancellationToken);

        var names = new List<string>();
        string? cursor = null;
        do
        {
            var page = await GetAsync($"/streams?limit=2{(cursor is null ? "" : "&cursor=" + cursor)}");
            Assert.True(page.GetProperty("partial").GetBoolean());
            names.AddRange(page.GetProperty("streams").EnumerateArray().Select(item => item.GetProperty("name").GetString()!));
            cursor = page.GetProperty("next").GetString();
        }
        while (cursor is not null);

        Assert.Equal(_streams, names.Order());
        var one = await GetAsync($"/streams/{_streams[1]}");
        Assert.Equal(3, one.GetProperty("count").GetInt64());
        Assert.Equal(_last[_streams[1]].ToString(), one.GetProperty("last").GetString());
        Assert.Equal(_last[_streams[1]].ToString(), one.GetProperty("archivedTo").GetString());
        Assert.True(one.GetProperty("partial").GetBoolean());
        using var unknown = await _world.Host.Client.GetAsync("/streams/nobody-knows", TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, unknown.StatusCode);
        Assert.NotNull(unknown.Headers.RetryAfter);
    }

    [Fact]
    public async Task Without_postgres_what_the_hot_log_has_is_told_and_called_partial()
    {
        await _world.Postgres.StopAsync(TestContext.Current.CancellationToken);

        var page = await GetAsync("/streams");
        var one = await GetAsync($"/streams/{_streams[0]}");

        Assert.True(page.GetProperty("partial").GetBoolean());
        Assert.Equal(_streams, page.GetProperty("streams").EnumerateArray().Select(item => item.GetProperty("name").GetString()!).Order());
        Assert.True(one.GetProperty("partial").GetBoolean());
        Assert.Equal(3, one.GetProperty("count").GetInt64());
    }

    [Fact]
    public async Task A_stream_that_expired_from_redis_is_listed_and_described_with_every_field()
    {
        // Its entries and meta are gone, once with its place in the index and once without.
        await _world.ForgetAsync(_streams[0]);
        await _world.Log.Database.KeyDeleteAsync([StreamKeys.Stream(_streams[1]), StreamKeys.Meta(_streams[1])]);

        var page = await GetAsync("/streams");

        Assert.Equal(_streams, page.GetProperty("streams").EnumerateArray().Select(item => item.GetProperty("name").GetString()!).Order());
        Assert.False(page.GetProperty("partial").GetBoolean());
        foreach (var stream in _streams)
        {
            var last = _last[stream];
            var fields = $"\"name\":\"{stream}\",\"first\":\"{last with { Sequence = 1 }}\",\"last\":\"{last}\",\"count\":3,"
                + $"\"archivedTo\":\"{last}\",\"subscribers\":0,\"state\":\"running\"";
            Assert.Equal($"{{{fields},\"unanswered\":[],\"partial\":false}}", (await GetAsync($"/streams/{stream}")).GetRawText());
            Assert.Contains(page.GetProperty("streams").EnumerateArray(), item => item.GetRawText() == $"{{{fields}}}");
        }
    }

    private Task<JsonElement> GetAsync(string path) =>
        _world.Host.Client.GetFromJsonAsync<JsonElement>(path, TestContext.Current.CancellationToken);
}
