using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using AspireStreaming.TestSupport;
using Microsoft.Extensions.Logging;

namespace AspireStreaming.ServiceDefaults.Tests.Auth;

public sealed class TokenSecrecyTests
{
    [Fact]
    public async Task Credential_is_in_no_log_and_no_span_however_verbose()
    {
        var log = new EverythingLog();
        var spans = new ConcurrentQueue<string>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = _ => true,
            Sample = (ref _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = activity => spans.Enqueue(string.Join(' ', activity.TagObjects.Select(tag => $"{tag.Key}={tag.Value}"))),
        };
        ActivitySource.AddActivityListener(listener);
        var settings = new Dictionary<string, string?>(GuardedService.WithSecret)
        {
            ["Auth:ApiKeys:0:Name"] = "a",
            ["Auth:ApiKeys:0:Key"] = "an-api-key-of-some-length",
            ["Logging:LogLevel:Default"] = "Trace",
            ["Logging:LogLevel:Microsoft.AspNetCore"] = "Trace",
        };
        await using var service = await GuardedService.StartAsync(settings, builder => builder.Logging.AddProvider(log));
        var good = TokenIssuer.Hs256(TokenIssuer.Claims("""{"sub":"somebody"}"""));
        var bad = TokenIssuer.Hs256(TokenIssuer.Claims("""{"sub":"else"}"""), "another secret, also of 32 bytes or more");

        (await service.SendAsync($"/who?access_token={good}")).ShouldBe(HttpStatusCode.OK);
        (await service.SendAsync($"/who?a=b&access_token={bad}")).ShouldBe(HttpStatusCode.Unauthorized);
        (await service.SendAsync("/who", good)).ShouldBe(HttpStatusCode.OK);
        (await service.SendAsync("/who", bad)).ShouldBe(HttpStatusCode.Unauthorized);
        (await service.SendAsync("/who", null, ("Cookie", "aspirestreaming=" + good))).ShouldBe(HttpStatusCode.OK);
        (await service.SendAsync("/who", null, ("X-Api-Key", "an-api-key-of-some-length"))).ShouldBe(HttpStatusCode.OK);
        (await service.SendAsync("/who", null, ("X-Api-Key", "an-api-key-of-nobody-here"))).ShouldBe(HttpStatusCode.Unauthorized);
        await service.App.StopAsync(TestContext.Current.CancellationToken);

        Assert.Contains(log.Lines, line => line.Contains("Request starting", StringComparison.Ordinal) && line.Contains("/who", StringComparison.Ordinal));
        foreach (var secret in new[] { good, bad, good.Split('.')[2], bad.Split('.')[1], "an-api-key", TokenIssuer.Secret })
        {
            Assert.DoesNotContain(log.Lines, line => line.Contains(secret, StringComparison.Ordinal));

            // The client's own spans, of this same process, do know where it went.
            Assert.DoesNotContain(spans, span => !span.Contains("server.address=127.0.0.1", StringComparison.Ordinal) && span.Contains(secret, StringComparison.Ordinal));
        }
    }

    private sealed class EverythingLog : ILoggerProvider, ILogger
    {
        private readonly ConcurrentQueue<string> _lines = new();

        public IReadOnlyCollection<string> Lines => _lines;

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull
        {
            _lines.Enqueue($"scope {state}");
            return null;
        }

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            _lines.Enqueue($"{formatter(state, exception)} {exception}");

        public void Dispose()
        {
        }
    }
}
