using System.Net;
using System.Text.Json;
using AspireStreaming.StreamApi.Tests.Support;
using AspireStreaming.StreamApi.Tests.Tiers;
using AspireStreaming.Streaming.Contracts;
using Npgsql;

namespace AspireStreaming.StreamApi.Tests.Audit;

public sealed class AuditEndpointTests : IAsyncLifetime
{
    private readonly ArchiveWorld _world = new();
    private readonly string _stream = TestLog.NewStream();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => _world.InitializeAsync();

    public ValueTask DisposeAsync() => _world.DisposeAsync();

    [Fact]
    public async Task Audit_tells_what_is_missing_and_says_when_it_cannot()
    {
        var (first, last) = await AppendAsync();

        var (status, whole) = await AuditAsync(_stream);
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal(
            $$"""{"stream":"{{_stream}}","events":10,"dead":0,"epochs":1,"restarts":0,"first":"{{first}}","last":"{{last}}","holes":[],"holeCount":0,"duplicates":0,"repeatedIds":0,"trimmed":false,"archivedTo":"{{last}}","hotLast":"{{last}}"}""",
            whole);

        await DeleteRowAsync(4);
        var holed = JsonDocument.Parse((await AuditAsync(_stream)).Body).RootElement;
        Assert.Equal(
            $$"""[{"from":"{{first.Epoch}}-3","to":"{{first.Epoch}}-4","missed":1}]""", JsonSerializer.Serialize(holed.GetProperty("holes")));

        Assert.Equal(HttpStatusCode.NotFound, (await AuditAsync("unknown")).Status);
        Assert.Equal(HttpStatusCode.BadRequest, (await AuditAsync("a%20b")).Status);

        await _world.Redis.StopAsync(Token);
        var (_, withoutRedis) = await AuditAsync(_stream);
        Assert.Contains("\"hotLast\":null", withoutRedis, StringComparison.Ordinal);
        await _world.Redis.StartAsync(Token);

        await _world.Postgres.StopAsync(Token);
        using var away = await _world.Host.Client.GetAsync($"/streams/{_stream}/audit", Token);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, away.StatusCode);
        Assert.NotNull(away.Headers.RetryAfter);
        Assert.Contains("urn:aspirestreaming:problem:archive-unavailable", await away.Content.ReadAsStringAsync(Token), StringComparison.Ordinal);
    }

    private async Task<(StreamPosition First, StreamPosition Last)> AppendAsync()
    {
        var appended = await _world.Log.AppendNumbersAsync(_stream, 1, 10);
        await _world.ArchivedAsync(_stream, appended.Last);
        return (appended.First, appended.Last);
    }

    private async Task<(HttpStatusCode Status, string Body)> AuditAsync(string stream)
    {
        using var response = await _world.Host.Client.GetAsync($"/streams/{stream}/audit", Token);
        return (response.StatusCode, await response.Content.ReadAsStringAsync(Token));
    }

    private async Task DeleteRowAsync(int sequence)
    {
        var connection = new NpgsqlConnectionStringBuilder(_world.Postgres.ConnectionString) { Database = "events" };
        await using var dataSource = NpgsqlDataSource.Create(connection.ConnectionString);
        await using var command = dataSource.CreateCommand("delete from events where stream = $1 and seq = $2");
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = _stream });
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = sequence });
        Assert.Equal(1, await command.ExecuteNonQueryAsync(Token));
    }
}
