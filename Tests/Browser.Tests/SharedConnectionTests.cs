using System.Globalization;
using System.Text.Json;
using AspireStreaming.Browser.Tests.Support;
using AspireStreaming.StreamApi.Tests.Support;
using AspireStreaming.TestSupport;
using Microsoft.Playwright;

namespace AspireStreaming.Browser.Tests;

/// <summary>The module <c>aspirestreaming.js</c>: tabs that share a connection.</summary>
public sealed class SharedConnectionTests(RedisFixture redis, ChromiumFixture browser) : IAsyncLifetime
{
    private readonly string _stream = TestLog.NewStream("shared");
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
    public async Task Fifty_tabs_see_every_event_once_in_order_over_one_connection()
    {
        const int Tabs = 50;
        await redis.Log.AppendNumbersAsync(_stream, 1, 20);
        var tabs = new List<Tab>();
        for (var index = 0; index < Tabs; index += 10)
        {
            tabs.AddRange(await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => OpenAsync(_stream))));
        }

        foreach (var tab in tabs)
        {
            await tab.WaitForStateAsync("live");
        }

        await _host.WaitForConnectionsAsync(1);
        for (var first = 21; first <= 220; first += 10)
        {
            await redis.Log.AppendNumbersAsync(_stream, first, 10);
        }

        foreach (var tab in tabs)
        {
            await tab.ExpectAsync(_stream, 220);
            Assert.Single(await tab.ControlsAsync("stream.caught-up"));
        }

        Assert.Single(await _host.ConnectionsAsync());
    }

    [Fact]
    public async Task Leader_closed_in_mid_stream_the_others_miss_nothing_and_get_nothing_twice()
    {
        var tabs = new List<Tab>();
        for (var index = 0; index < 5; index++)
        {
            tabs.Add(await OpenAsync(_stream));
            await tabs[^1].WaitForStateAsync("live");
        }

        using var stop = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        var publishing = PublishAsync(_stream, stop.Token);
        for (var leader = 0; leader < 3; leader++)
        {
            // The eldest leads.
            var next = (await tabs[leader].NumbersAsync(_stream)).Length + 20;
            await tabs[leader].WaitUntilAsync("count => log.events.length >= count", next, "the leader has passed on more events");
            await tabs[leader].DisposeAsync();
        }

        await stop.CancelAsync();
        var published = await publishing;
        foreach (var tab in tabs.Skip(3))
        {
            await tab.ExpectAsync(_stream, published);
            Assert.Empty(await tab.ControlsAsync("stream.gap"));
        }

        await _host.WaitForConnectionsAsync(1);
    }

    [Fact]
    public async Task Late_tab_gets_the_history_and_then_shares()
    {
        await using var first = await OpenAsync(_stream + "@now");
        await first.WaitForStateAsync("live");
        await redis.Log.AppendNumbersAsync(_stream, 1, 1500);
        await using var late = await OpenAsync(_stream);
        await late.WaitForStateAsync("live");
        await using var later = await OpenAsync(_stream + "@now");
        await later.WaitForStateAsync("live");
        await _host.WaitForConnectionsAsync(1);
        await redis.Log.AppendNumbersAsync(_stream, 1501, 5);

        await first.ExpectAsync(_stream, 1505);
        await late.ExpectAsync(_stream, 1505);
        await later.WaitUntilAsync("() => log.events.length >= 5", null, "the last tab has the new events");
        Assert.Equal(Enumerable.Range(1501, 5), await later.NumbersAsync(_stream));
    }

    [Fact]
    public async Task Streams_of_all_tabs_go_over_one_connection_each_to_who_wants_it()
    {
        var other = TestLog.NewStream("other");
        await using var first = await OpenAsync(_stream);
        await using var second = await OpenAsync(other, _stream);
        await using var third = await OpenAsync(other);
        await first.WaitForStateAsync("live");
        await second.WaitForStateAsync("live");
        await third.WaitForStateAsync("live");

        await redis.Log.AppendNumbersAsync(_stream, 1, 10);
        await redis.Log.AppendNumbersAsync(other, 1, 10);

        await first.ExpectAsync(_stream, 10);
        await second.ExpectAsync(_stream, 10);
        await second.ExpectAsync(other, 10);
        await third.ExpectAsync(other, 10);
        Assert.Empty(await first.NumbersAsync(other));
        await _host.WaitForConnectionsAsync(1);
    }

    [Fact]
    public async Task Restart_of_the_server_nothing_is_missing_afterwards()
    {
        await using var first = await OpenAsync(_stream);
        await using var second = await OpenAsync(_stream);
        await first.WaitForStateAsync("live");
        await second.WaitForStateAsync("live");
        await redis.Log.AppendNumbersAsync(_stream, 1, 5);
        await second.ExpectAsync(_stream, 5);

        await _host.StopAsync();
        await second.WaitForStateAsync("reconnecting");
        await redis.Log.AppendNumbersAsync(_stream, 6, 5);
        await _host.StartAsync();

        await first.ExpectAsync(_stream, 10);
        await second.ExpectAsync(_stream, 10);
        await second.WaitForStateAsync("live");
    }

    [Fact]
    public async Task End_is_told_to_every_tab_and_leaves_no_connection()
    {
        var other = TestLog.NewStream("other");
        await using var first = await OpenAsync(_stream, other);
        await using var second = await OpenAsync(_stream);
        await first.WaitForStateAsync("live");
        await second.WaitForStateAsync("live");

        await redis.Log.AppendAsync(_stream, redis.Log.Event(data: "1"), redis.Log.Event("WORKFLOW_COMPLETED", "2"));
        await second.WaitForStateAsync("ended");
        await redis.Log.AppendAsync(other, redis.Log.Event("STREAM_END", "1"));
        await first.WaitForStateAsync("ended");
        await using var late = await OpenAsync(_stream);
        await late.WaitForStateAsync("ended");

        foreach (var tab in (Tab[])[first, second, late])
        {
            await tab.ExpectAsync(_stream, 2);
            var end = (await tab.ControlsAsync("stream.end")).Single(data => data.GetProperty("stream").GetString() == _stream);
            Assert.Equal("WORKFLOW_COMPLETED", end.GetProperty("type").GetString());
        }

        await _host.WaitForConnectionsAsync(0);
        var position = await first.Page.EvaluateAsync<string>("stream => subscription.positions[stream]", _stream);
        await using var after = await OpenAsync($"{_stream}@{position}");
        await after.WaitForStateAsync("ended");
        Assert.Equal("WORKFLOW_COMPLETED", Assert.Single(await after.ControlsAsync("stream.end")).GetProperty("type").GetString());
    }

    [Fact]
    public async Task Gap_is_announced_to_the_tab_that_it_concerns()
    {
        var positions = await redis.Log.AppendNumbersAsync(_stream, 1, 10);
        await redis.Log.TrimAsync(_stream, positions.First with { Sequence = 4 });
        await using var tab = await OpenAsync($"{_stream}@{positions.First}");
        await tab.WaitForStateAsync("live");

        var gap = Assert.Single(await tab.ControlsAsync("stream.gap"));
        Assert.Equal(3, gap.GetProperty("missed").GetInt32());
        Assert.Equal(Enumerable.Range(5, 6), await tab.NumbersAsync(_stream));
    }

    [Fact]
    public async Task Redis_lost_everything_every_tab_is_told_and_goes_on()
    {
        await using var mortal = await RedisProcess.StartAsync(cancellationToken: TestContext.Current.CancellationToken);
        await using var host = await RestartableHost.StartAsync(mortal.ConnectionString);
        using var log = new TestLog(mortal.ConnectionString);
        var tabs = new List<Tab>();
        for (var index = 0; index < 3; index++)
        {
            var tab = await Tab.OpenAsync(_context, host.Url);
            await tab.SubscribeAsync(new { streams = new[] { _stream } });
            await tab.WaitForStateAsync("live");
            tabs.Add(tab);
        }

        var last = (await log.AppendNumbersAsync(_stream, 1, 5)).Last;
        foreach (var tab in tabs)
        {
            await tab.ExpectAsync(_stream, 5);
        }

        mortal.Kill();
        await mortal.StartAsync(TestContext.Current.CancellationToken);
        using var later = new TestLog(mortal.ConnectionString);
        await later.AppendNumbersAsync(_stream, 6, 3);
        await using var late = await Tab.OpenAsync(_context, host.Url);
        await late.SubscribeAsync(new { streams = new[] { $"{_stream}@{last}" } });

        foreach (var tab in tabs)
        {
            await tab.ExpectAsync(_stream, 8);
            Assert.NotEmpty((JsonElement[])[.. await tab.ControlsAsync("stream.epoch"), .. await tab.ControlsAsync("stream.gap")]);
        }

        await late.WaitForStateAsync("live");
        Assert.Equal(Enumerable.Range(6, 3), await late.NumbersAsync(_stream));
        Assert.NotEmpty((JsonElement[])[.. await late.ControlsAsync("stream.epoch"), .. await late.ControlsAsync("stream.gap")]);
    }

    [Fact]
    public async Task Types_are_filtered_and_subscriptions_that_differ_in_them_do_not_share()
    {
        await using var chosen = await Tab.OpenAsync(_context, _host.Url);
        await chosen.SubscribeAsync(new { streams = new[] { _stream }, types = new[] { "CHOSEN" } });
        await using var all = await OpenAsync(_stream);
        await chosen.WaitForStateAsync("live");
        await all.WaitForStateAsync("live");
        await _host.WaitForConnectionsAsync(2);

        await redis.Log.AppendAsync(_stream, redis.Log.Event("CHOSEN", "1"), redis.Log.Event("OTHER", "2"), redis.Log.Event("CHOSEN", "3"));

        await all.ExpectAsync(_stream, 3);
        await chosen.WaitUntilAsync("() => log.events.length === 2", null, "the chosen events are there");
        Assert.Equal("1,3", string.Join(',', await chosen.NumbersAsync(_stream)));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Without_web_locks_or_on_request_each_tab_has_a_connection_of_its_own(bool isMissing)
    {
        if (isMissing)
        {
            await _context.AddInitScriptAsync("delete Navigator.prototype.locks;");
        }

        var tabs = new List<Tab>();
        for (var index = 0; index < 3; index++)
        {
            var tab = await Tab.OpenAsync(_context, _host.Url);
            await tab.SubscribeAsync(new { streams = new[] { _stream }, share = isMissing });
            tabs.Add(tab);
        }

        foreach (var tab in tabs)
        {
            await tab.WaitForStateAsync("live");
        }

        Assert.Equal(3, (await _host.ConnectionsAsync()).Length);
        await redis.Log.AppendNumbersAsync(_stream, 1, 10);
        foreach (var tab in tabs)
        {
            await tab.ExpectAsync(_stream, 10);
        }
    }

    [Fact]
    public async Task More_than_fifty_streams_take_a_second_connection_and_more_than_two_hundred_are_refused()
    {
        var streams = Enumerable.Range(0, 60).Select(index => string.Create(CultureInfo.InvariantCulture, $"{_stream}-{index}")).ToArray();
        await using var tab = await OpenAsync(streams);
        await tab.WaitForStateAsync("live");
        await _host.WaitForConnectionsAsync(2);

        foreach (var stream in streams)
        {
            await redis.Log.AppendNumbersAsync(stream, 1, 2);
        }

        foreach (var stream in streams)
        {
            await tab.ExpectAsync(stream, 2);
        }

        var refused = await Assert.ThrowsAsync<PlaywrightException>(
            () => tab.SubscribeAsync(new { streams = Enumerable.Range(0, 201).Select(index => $"x{index}").ToArray() }));
        Assert.Contains("RangeError", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Silent_leader_is_replaced()
    {
        await using var hanging = await OpenAsync(_stream);
        await hanging.WaitForStateAsync("live");
        var follower = await Tab.OpenAsync(_context, _host.Url);
        await using var owner = follower;
        await follower.Page.Clock.InstallAsync();
        await follower.SubscribeAsync(new { streams = new[] { _stream } });
        await follower.WaitForStateAsync("live");

        // It holds its lock but says nothing any more, as a tab in an endless loop.
        await hanging.Page.EvaluateAsync("() => { BroadcastChannel.prototype.postMessage = () => {}; }");
        await redis.Log.AppendNumbersAsync(_stream, 1, 3);
        await hanging.ExpectAsync(_stream, 3);
        Assert.Empty(await follower.NumbersAsync(_stream));
        await follower.Page.Clock.FastForwardAsync(20_000);
        for (var tick = 0; tick < 6; tick++)
        {
            await follower.Page.Clock.FastForwardAsync(20_000);
        }

        await follower.ExpectAsync(_stream, 3);
        await hanging.ExpectAsync(_stream, 3);
    }

    [Fact]
    public async Task Refused_subscription_fails_with_the_reason()
    {
        await using var tab = await OpenAsync("a name with blanks");

        await tab.WaitUntilAsync("() => log.states.at(-1)?.startsWith('failed: ')", null, "the subscription has failed");
        Assert.Contains("200 characters", (await tab.StatesAsync())[^1], StringComparison.Ordinal);
    }

    private async Task<Tab> OpenAsync(params string[] streams)
    {
        var tab = await Tab.OpenAsync(_context, _host.Url);
        await tab.SubscribeAsync(new { streams });
        return tab;
    }

    /// <summary>Publishes numbers, one event at a time, until cancelled.</summary>
    /// <returns>How many.</returns>
    private async Task<int> PublishAsync(string stream, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(5), TimeProvider.System);
        var number = 0;
        try
        {
            while (await timer.WaitForNextTickAsync(cancellationToken))
            {
                await redis.Log.AppendNumbersAsync(stream, ++number, 1);
            }
        }
        catch (OperationCanceledException) when (!TestContext.Current.CancellationToken.IsCancellationRequested)
        {
            // Enough.
        }

        return number;
    }
}
