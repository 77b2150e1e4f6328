using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using AspireStreaming.StreamApi.Tests.Support;
using AspireStreaming.TestSupport;

[assembly: AssemblyFixture(typeof(AspireStreaming.Browser.Tests.Support.RedisFixture))]
[assembly: AssemblyFixture(typeof(AspireStreaming.Browser.Tests.Support.ChromiumFixture))]

// Two cores and one browser: side by side, tests would only wait for each other.
[assembly: CollectionBehavior(DisableTestParallelization = true)]

namespace AspireStreaming.Browser.Tests.Support;

/// <summary>One redis-server for all tests; they keep apart by stream name.</summary>
public sealed class RedisFixture : IAsyncLifetime
{
    public RedisProcess Process { get; private set; } = null!;

    internal TestLog Log { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Process = await RedisProcess.StartAsync();
        Log = new TestLog(Process.ConnectionString);
    }

    public ValueTask DisposeAsync()
    {
        Log.Dispose();
        return Process.DisposeAsync();
    }
}

/// <summary>One Chromium for all tests; null where none is installed.</summary>
public sealed class ChromiumFixture : IAsyncLifetime
{
    private Chromium? _chromium;

    internal Chromium Chromium
    {
        get
        {
            Assert.SkipWhen(_chromium is null, Chromium.UnavailableReason ?? "");
            return _chromium!;
        }
    }

    public async ValueTask InitializeAsync() => _chromium = Chromium.UnavailableReason is null ? await Chromium.StartAsync() : null;

    public ValueTask DisposeAsync() => _chromium?.DisposeAsync() ?? default;
}

/// <summary>A Stream API that can be stopped and started again at its port.</summary>
internal sealed class RestartableHost(string redis, params string[] settings) : IAsyncDisposable
{
    private StreamApiHost? _host;
    private Uri? _url;

    public Uri Url => _url ?? throw new InvalidOperationException("The host was never started.");

    public StreamApiHost Host => _host ?? throw new InvalidOperationException("The host is stopped.");

    public static async Task<RestartableHost> StartAsync(string redis, params string[] settings)
    {
        var host = new RestartableHost(redis, settings);
        await host.StartAsync();
        return host;
    }

    public async Task StartAsync()
    {
        string[] port = _url is null ? [] : [$"--Kestrel:Endpoints:http:Url={_url.GetLeftPart(UriPartial.Authority)}"];
        _host = await StreamApiHost.StartAsync(redis, [.. settings, .. port]);
        _url ??= _host.Http;
    }

    public async Task StopAsync()
    {
        var host = Host;
        _host = null;
        await host.DisposeAsync();
    }

    /// <summary>Ids of the live connections.</summary>
    public async Task<string[]> ConnectionsAsync()
    {
        var answer = await Host.Client.GetFromJsonAsync<JsonElement>("/connections?scope=local", TestContext.Current.CancellationToken);
        return [.. answer.GetProperty("connections").EnumerateArray().Select(connection => connection.GetProperty("id").GetString()!)];
    }

    public async Task WaitForConnectionsAsync(int count) => await Eventually.TrueAsync(
        async () => (await ConnectionsAsync()).Length == count,
        SseClient.Patience,
        string.Create(CultureInfo.InvariantCulture, $"the server has {count} connections"),
        TestContext.Current.CancellationToken);

    public ValueTask DisposeAsync() => _host?.DisposeAsync() ?? default;
}
