using System.Net;
using System.Net.Http.Headers;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Http.Resilience;
using Microsoft.Extensions.Options;
using Polly;
using Polly.CircuitBreaker;
using Polly.RateLimiting;
using Polly.Timeout;

namespace AspireStreaming.ServiceDefaults.Tests.Resilience;

public sealed class StandardResilienceTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("GET", 4)]
    [InlineData("POST", 1)]
    [InlineData("PUT", 1)]
    [InlineData("DELETE", 1)]
    public async Task Defaults_retry_safe_methods_only(string method, int expectedAttempts)
    {
        var server = new ScriptedServer(_ => new HttpResponseMessage(HttpStatusCode.ServiceUnavailable));
        using var host = BuildWithDefaults(server, options => options.Retry.Delay = TimeSpan.Zero);
        using var client = Client(host);
        using var request = new HttpRequestMessage(new HttpMethod(method), "http://127.0.0.1:1/");

        using var response = await client.SendAsync(request, Cancellation);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Equal(expectedAttempts, server.Attempts);
        Assert.Equal(Timeout.InfiniteTimeSpan, client.Timeout);
    }

    [Fact]
    public async Task Retry_waits_as_long_as_the_server_asks()
    {
        var server = new ScriptedServer(attempt => attempt > 1
            ? new HttpResponseMessage(HttpStatusCode.OK)
            : new HttpResponseMessage(HttpStatusCode.TooManyRequests) { Headers = { RetryAfter = new RetryConditionHeaderValue(TimeSpan.FromMilliseconds(0)) } });
        using var host = Build(server, http => http.AddStandardResilienceHandler(options => options.Retry.Delay = TimeSpan.FromMinutes(1)));

        using var response = await Client(host).GetAsync("http://127.0.0.1:1/", Cancellation);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    [Fact]
    public async Task Attempt_that_takes_too_long_is_given_up_and_repeated()
    {
        var server = new ScriptedServer(attempt => attempt > 1 ? new HttpResponseMessage(HttpStatusCode.OK) : null);
        using var host = Build(server, http => http.AddStandardResilienceHandler(options =>
        {
            options.Retry.Delay = TimeSpan.Zero;
            options.AttemptTimeout.Timeout = TimeSpan.FromMilliseconds(100);
        }));

        using var response = await Client(host).GetAsync("http://127.0.0.1:1/", Cancellation);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(2, server.Attempts);
    }

    [Fact]
    public async Task Request_ends_at_the_total_timeout()
    {
        var server = new ScriptedServer(_ => null);
        using var host = Build(server, http => http.AddStandardResilienceHandler(options =>
        {
            options.TotalRequestTimeout.Timeout = TimeSpan.FromMilliseconds(200);
            options.AttemptTimeout.Timeout = TimeSpan.FromMilliseconds(150);
        }));

        await Assert.ThrowsAsync<TimeoutRejectedException>(() => Client(host).GetAsync("http://127.0.0.1:1/", Cancellation));
    }

    [Fact]
    public async Task Circuit_opens_after_failures()
    {
        var server = new ScriptedServer(_ => new HttpResponseMessage(HttpStatusCode.InternalServerError));
        using var host = Build(server, http => http.AddStandardResilienceHandler(options =>
        {
            options.Retry.DisableFor(HttpMethod.Get);
            options.CircuitBreaker.MinimumThroughput = 2;
        }));
        for (var request = 0; request < 2; request++)
        {
            (await Client(host).GetAsync("http://127.0.0.1:1/", Cancellation)).Dispose();
        }

        await Assert.ThrowsAsync<BrokenCircuitException>(() => Client(host).GetAsync("http://127.0.0.1:1/", Cancellation));
        Assert.Equal(2, server.Attempts);
    }

    [Fact]
    public async Task Requests_beyond_the_limit_are_rejected()
    {
        var server = new ScriptedServer(_ => null);
        using var host = Build(server, http => http.AddStandardResilienceHandler(options => options.RateLimiter.DefaultRateLimiterOptions.PermitLimit = 1));
        using var end = new CancellationTokenSource();
        var first = Client(host).GetAsync("http://127.0.0.1:1/", end.Token);

        await Assert.ThrowsAsync<RateLimiterRejectedException>(() => Client(host).GetAsync("http://127.0.0.1:1/", Cancellation));
        await end.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
    }

    [Fact]
    public void Options_that_contradict_themselves_are_refused()
    {
        using var host = Build(new ScriptedServer(_ => null), http => http.AddStandardResilienceHandler(
            options => options.AttemptTimeout.Timeout = TimeSpan.FromMinutes(1)));

        Assert.Throws<OptionsValidationException>(() => Client(host));
    }

    [Fact]
    public async Task Custom_pipeline_is_used_and_the_defaults_can_be_taken_off()
    {
        var server = new ScriptedServer(_ => new HttpResponseMessage(HttpStatusCode.ServiceUnavailable));
        using var host = BuildWithDefaults(server, options => options.Retry.Delay = TimeSpan.Zero, http =>
        {
#pragma warning disable EXTEXP0001 // The only way to take the defaults off a client.
            http.RemoveAllResilienceHandlers();
#pragma warning restore EXTEXP0001
            http.AddResilienceHandler("own", pipeline => pipeline.AddRetry(
                new HttpRetryStrategyOptions { MaxRetryAttempts = 1, Delay = TimeSpan.Zero, BackoffType = DelayBackoffType.Constant }));
        });

        using var response = await Client(host).GetAsync("http://127.0.0.1:1/", Cancellation);

        Assert.Equal(2, server.Attempts);
    }

    private static HttpClient Client(IHost host) => host.Services.GetRequiredService<IHttpClientFactory>().CreateClient("probe");

    private static IHost Build(ScriptedServer server, Action<IHttpClientBuilder> configure)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        configure(builder.Services.AddHttpClient("probe").ConfigurePrimaryHttpMessageHandler(() => server.NewHandler()));
        return builder.Build();
    }

    private static IHost BuildWithDefaults(
        ScriptedServer server, Action<HttpStandardResilienceOptions> configureDefaults, Action<IHttpClientBuilder>? configure = null)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.AddServiceDefaults();
        builder.Services.ConfigureAll(configureDefaults);
        var http = builder.Services.AddHttpClient("probe").ConfigurePrimaryHttpMessageHandler(() => server.NewHandler());
        configure?.Invoke(http);
        return builder.Build();
    }

    /// <summary>Answers each attempt by script; null never answers.</summary>
    private sealed class ScriptedServer(Func<int, HttpResponseMessage?> script)
    {
        private int _attempts;

        public int Attempts => _attempts;

        public HttpMessageHandler NewHandler() => new Handler(this);

        private sealed class Handler(ScriptedServer server) : HttpMessageHandler
        {
            protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
            {
                if (server.Answer() is { } response)
                {
                    return response;
                }

                var never = new TaskCompletionSource<HttpResponseMessage>();
                return await never.Task.WaitAsync(cancellationToken);
            }
        }

        private HttpResponseMessage? Answer() => script(Interlocked.Increment(ref _attempts));
    }
}
