using AspireStreaming.Browser.Tests.Support;
using AspireStreaming.StreamApi.Tests.Support;
using Microsoft.Playwright;

namespace AspireStreaming.Browser.Tests;

/// <summary>The browser's own EventSource: no library, nothing to configure.</summary>
public sealed class EventSourceTests(RedisFixture redis, ChromiumFixture browser) : IAsyncLifetime
{
    private readonly string _stream = TestLog.NewStream("native");
    private RestartableHost _host = null!;
    private IBrowserContext _context = null!;

    public async ValueTask InitializeAsync()
    {
        _context = await browser.Chromium.Browser.NewContextAsync();
        _host = await RestartableHost.StartAsync(redis.Process.ConnectionString);
    }

    public async ValueTask DisposeAsync()
    {
        if (_context is not null)
        {
            await _context.DisposeAsync();
            await _host.DisposeAsync();
        }
    }

    [Fact]
    public async Task Restart_of_the_server_events_go_on_after_the_last_id()
    {
        await redis.Log.AppendNumbersAsync(_stream, 1, 3);
        await using var tab = await Tab.OpenAsync(_context, _host.Url);
        await tab.OpenEventSourceAsync($"/streams/{_stream}/events", "T");
        await tab.ExpectAsync(_stream, 3);

        await _host.StopAsync();
        var last = (await redis.Log.AppendNumbersAsync(_stream, 4, 2)).Last;
        await _host.StartAsync();

        await tab.ExpectAsync(_stream, 5);
        Assert.Equal(last.ToString(), await tab.Page.EvaluateAsync<string>("() => log.ids.at(-1)"));
        Assert.Single(await tab.ControlsAsync("stream.drain"));
    }

    [Fact]
    public async Task Ended_stream_is_answered_204_and_not_asked_for_again()
    {
        await redis.Log.AppendAsync(_stream, redis.Log.Event(data: "1"), redis.Log.Event("WORKFLOW_COMPLETED", "2"));
        await using var tab = await Tab.OpenAsync(_context, _host.Url);
        var answers = new List<int>();
        tab.Page.Response += (_, response) => answers.Add(response.Status);
        await tab.OpenEventSourceAsync($"/streams/{_stream}/events", "T", "WORKFLOW_COMPLETED");

        await tab.WaitUntilAsync("() => source.readyState === EventSource.CLOSED", null, "EventSource has given up");

        await tab.ExpectAsync(_stream, 2);
        Assert.Equal([200, 204], answers);
        Assert.Equal("WORKFLOW_COMPLETED", Assert.Single(await tab.ControlsAsync("stream.end")).GetProperty("type").GetString());
    }

    [Theory]
    [InlineData("", "CHOSEN")]
    [InlineData("?named=false", "message")]
    public async Task Names_events_come_under_their_type_or_all_as_messages(string query, string name)
    {
        await using var tab = await Tab.OpenAsync(_context, _host.Url);
        await tab.OpenEventSourceAsync($"/streams/{_stream}/events{query}", name);
        await tab.WaitForControlAsync("stream.caught-up");

        await redis.Log.AppendAsync(_stream, redis.Log.Event("CHOSEN", "1"));

        await tab.ExpectAsync(_stream, 1);
    }

    [Fact]
    public async Task Retry_the_browser_waits_as_long_as_the_server_asks()
    {
        await using var tab = await Tab.OpenAsync(_context, _host.Url);
        await tab.OpenEventSourceAsync($"/streams/{_stream}/events", "T");
        await tab.WaitForControlAsync("stream.caught-up");

        var id = Assert.Single(await _host.ConnectionsAsync());
        using var response = await _host.Host.Client.DeleteAsync(new Uri($"/connections/{id}", UriKind.Relative), TestContext.Current.CancellationToken);
        response.EnsureSuccessStatusCode();
        await tab.WaitUntilAsync("() => log.states.join() === 'open,error,open'", null, "EventSource is open again");

        var asked = Assert.Single(await tab.ControlsAsync("stream.drain")).GetProperty("retryMs").GetInt32();
        var waited = await tab.Page.EvaluateAsync<double>("() => log.times[2] - log.times[1]");
        Assert.InRange(waited, asked - 50, double.MaxValue);
    }
}
