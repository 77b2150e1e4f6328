using System.Net;
using AspireStreaming.StreamApi.Tests.Support;
using AspireStreaming.StreamApi.Tests.Tiers;

namespace AspireStreaming.StreamApi.Tests.Faults;

public sealed class PostgresFaultTests : IAsyncLifetime
{
    private readonly ArchiveWorld _world = new();
    private readonly string _stream = TestLog.NewStream();

    public ValueTask InitializeAsync() => _world.InitializeAsync();

    public ValueTask DisposeAsync() => _world.DisposeAsync();

    [Fact]
    public async Task Away_old_events_are_waited_for_and_new_ones_are_not_held_up()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        var first = (await _world.Log.AppendNumbersAsync(_stream, 1, 10)).First;
        await _world.ArchivedAsync(_stream, first with { Sequence = 10 });
        await _world.Log.TrimAsync(_stream, first with { Sequence = 6 });
        await _world.Postgres.StopAsync(cancellationToken);

        await using var live = await _world.Host.OpenAsync($"/streams/{_stream}/events?from=now");
        await using var old = await _world.Host.OpenAsync($"/streams/{_stream}/events", (first with { Sequence = 2 }).ToString());
        await live.ReadControlAsync("stream.caught-up");
        await _world.Log.AppendNumbersAsync(_stream, 11, 1);
        Assert.Equal(11, (await live.ReadEventAsync()).Number);
        using var page = await _world.Host.Client.GetAsync($"/streams/{_stream}/events?from={first}", cancellationToken);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, page.StatusCode);
        Assert.False((await old.ReadAnyAsync())!.IsComment);
        Assert.True((await old.ReadAnyAsync())!.IsComment);

        await _world.Postgres.StartAsync(cancellationToken);

        for (var number = 3; number <= 11; number++)
        {
            Assert.Equal(number, (await old.ReadEventAsync(TimeSpan.FromSeconds(40))).Number);
        }
    }
}
