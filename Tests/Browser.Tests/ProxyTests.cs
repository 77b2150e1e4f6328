using System.Globalization;
using System.Text.Json.Nodes;
using AspireStreaming.Browser.Tests.Support;
using AspireStreaming.StreamApi.Tests.Support;
using AspireStreaming.TestSupport;

namespace AspireStreaming.Browser.Tests;

/// <summary>nginx as it comes, with <c>proxy_pass</c> alone, and the npm package <c>eventsource</c>.</summary>
public sealed class ProxyTests(RedisFixture redis, ChromiumFixture browser) : IAsyncLifetime
{
    private readonly string _stream = TestLog.NewStream("proxied");
    private RestartableHost _host = null!;
    private NginxProcess? _nginx;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    private NginxProcess Nginx
    {
        get
        {
            Assert.SkipWhen(_nginx is null, NginxProcess.UnavailableReason ?? "");
            return _nginx!;
        }
    }

    public async ValueTask InitializeAsync()
    {
        _host = await RestartableHost.StartAsync(redis.Process.ConnectionString, "--Delivery:Heartbeat=00:00:00.300");
        _nginx = NginxProcess.UnavailableReason is null ? await NginxProcess.StartAsync(_host.Url, Cancelled) : null;
    }

    public async ValueTask DisposeAsync()
    {
        if (_nginx is not null)
        {
            await _nginx.DisposeAsync();
        }

        if (_host is not null)
        {
            await _host.DisposeAsync();
        }
    }

    [Fact]
    public async Task Nginx_passes_each_event_on_at_once()
    {
        await using var client = await SseClient.OpenAsync(Nginx.Url, $"/streams/{_stream}/events");
        Assert.Equal(200, client.Status);
        Assert.Equal("text/event-stream", client.Headers["Content-Type"]);
        await client.ReadControlAsync("stream.caught-up");

        for (var number = 1; number <= 5; number++)
        {
            // A proxy that collects would keep each until the next ones come, and they don't.
            await redis.Log.AppendNumbersAsync(_stream, number, 1);
            Assert.Equal(number, (await client.ReadEventAsync()).Number);
        }
    }

    [Fact]
    public async Task Nginx_passes_heartbeats_on()
    {
        await using var client = await SseClient.OpenAsync(Nginx.Url, $"/streams/{_stream}/events");
        await client.ReadControlAsync("stream.caught-up");

        for (var beat = 0; beat < 3; beat++)
        {
            Assert.Equal(": heartbeat", (await client.ReadAnyAsync())!.Raw);
        }
    }

    [Fact]
    public async Task Nginx_restarts_and_chromium_goes_on_where_it_was()
    {
        await using var context = await browser.Chromium.Browser.NewContextAsync();
        await redis.Log.AppendNumbersAsync(_stream, 1, 2);
        await using var tab = await Tab.OpenAsync(context, Nginx.Url);
        await tab.OpenEventSourceAsync($"/streams/{_stream}/events", "T");
        await tab.ExpectAsync(_stream, 2);

        await Nginx.KillAsync();
        await redis.Log.AppendNumbersAsync(_stream, 3, 2);
        await Nginx.StartAsync(Cancelled);

        await tab.ExpectAsync(_stream, 4);
    }

    [Fact]
    public async Task Npm_eventsource_through_nginx_goes_on_after_a_restart_of_nginx()
    {
        Assert.SkipWhen(NodeClient.UnavailableReason is not null, NodeClient.UnavailableReason ?? "");
        var script = ReadAsync(Nginx.Url, 6);
        await _host.WaitForConnectionsAsync(1);
        await redis.Log.AppendNumbersAsync(_stream, 1, 3);
        await WaitForPositionAsync(3);

        await Nginx.KillAsync();
        await _host.WaitForConnectionsAsync(0);
        await redis.Log.AppendNumbersAsync(_stream, 4, 3);
        await Nginx.StartAsync(Cancelled);

        var seen = await script;
        Assert.Equal("[1,2,3,4,5,6]", seen["numbers"]!.ToJsonString());
        Assert.Equal(2, (int)seen["opens"]!);
        Assert.Empty(seen["controls"]!.AsArray());
    }

    [Fact]
    public async Task Npm_eventsource_goes_on_after_a_restart_of_the_server_and_stops_at_the_end()
    {
        Assert.SkipWhen(NodeClient.UnavailableReason is not null, NodeClient.UnavailableReason ?? "");
        var script = ReadAsync(_host.Url, 0);
        await _host.WaitForConnectionsAsync(1);
        await redis.Log.AppendNumbersAsync(_stream, 1, 2);
        await WaitForPositionAsync(2);
        await _host.StopAsync();
        await _host.StartAsync();
        await redis.Log.AppendAsync(_stream, redis.Log.Event(data: "3"), redis.Log.Event("WORKFLOW_COMPLETED", "4"));

        var seen = await script;

        Assert.Equal("[1,2,3,4]", seen["numbers"]!.ToJsonString());
        Assert.Equal("""["stream.end"]""", seen["controls"]!.ToJsonString());
        Assert.Equal(204, (int?)seen["status"]);
    }

    private async Task<JsonNode> ReadAsync(Uri server, int count)
    {
        var result = await NodeClient.RunAsync(
            "Interop/eventsource.cjs",
            [new Uri(server, $"/streams/{_stream}/events").ToString(), count.ToString(CultureInfo.InvariantCulture)],
            Cancelled);
        Assert.True(result.ExitCode == 0, result.StandardError);
        return JsonNode.Parse(result.StandardOutput)!;
    }

    private Task WaitForPositionAsync(int sequence) => Eventually.TrueAsync(
        async () => (await _host.Host.Client.GetStringAsync(new Uri("/connections", UriKind.Relative), Cancelled))
            .Contains(string.Create(CultureInfo.InvariantCulture, $"-{sequence}\""), StringComparison.Ordinal),
        SseClient.Patience,
        "the connection has got everything",
        Cancelled);
}
