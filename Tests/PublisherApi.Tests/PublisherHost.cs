using System.Collections.Concurrent;
using System.Net;
using System.Text;
using System.Text.Json;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace AspireStreaming.PublisherApi.Tests;

/// <summary>The whole Publisher API on Kestrel, in this process.</summary>
internal sealed class PublisherHost : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly LogCapture _log;

    private PublisherHost(WebApplication app, LogCapture log)
    {
        _app = app;
        _log = log;
        Http = new HttpClient { BaseAddress = new Uri(app.Urls.Single(url => url.Contains("127.0.0.1", StringComparison.Ordinal))) };
        Grpc = GrpcChannel.ForAddress(app.Urls.Single(url => url.Contains("127.0.0.2", StringComparison.Ordinal)));
    }

    public HttpClient Http { get; }

    public GrpcChannel Grpc { get; }

    public IServiceProvider Services => _app.Services;

    public HotLogReader Log => Services.GetRequiredService<HotLogReader>();

    /// <summary>Names of the events logged at Warning and above.</summary>
    public IReadOnlyCollection<string> LoggedEvents => _log.Names;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static async Task<PublisherHost> StartAsync(string redis, string archive, params string[] arguments)
    {
        // The two endpoints are told apart by their addresses.
        var app = PublisherApp.Create(
        [
            "--environment=Development",
            $"--ConnectionStrings:redis={redis}",
            $"--ConnectionStrings:events={archive}",
            "--Kestrel:Endpoints:http:Url=http://127.0.0.1:0",
            "--Kestrel:Endpoints:grpc:Url=http://127.0.0.2:0",
            "--Logging:LogLevel:Default=Warning",
            "--Logging:LogLevel:Grpc=None",
            .. arguments,
        ]);
        var log = new LogCapture();
        app.Services.GetRequiredService<ILoggerFactory>().AddProvider(log);
        await app.StartAsync(Cancel);
        return new PublisherHost(app, log);
    }

    public static string NewStream(string what = "s") => $"{what}-{Guid.NewGuid():N}";

    public async Task<Answer> PostAsync(
        string stream, string body, string? contentType = "application/json", string query = "", params (string Name, string Value)[] headers) =>
        await PostAsync(stream, Encoding.UTF8.GetBytes(body), contentType, query, headers);

    public async Task<Answer> PostAsync(
        string stream, byte[] body, string? contentType = "application/json", string query = "", params (string Name, string Value)[] headers)
    {
        var content = new ByteArrayContent(body);
        if (contentType is not null)
        {
            content.Headers.TryAddWithoutValidation("Content-Type", contentType);
        }

        return await PostAsync(stream, content, query, headers);
    }

    public async Task<Answer> PostAsync(string stream, HttpContent content, string query = "", params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/streams/{stream}/events{query}") { Content = content };
        foreach (var (name, value) in headers)
        {
            if (!request.Headers.TryAddWithoutValidation(name, value))
            {
                content.Headers.TryAddWithoutValidation(name, value);
            }
        }

        using var response = await Http.SendAsync(request, Cancel);
        return await Answer.ReadAsync(response);
    }

    public async Task<Answer> DeleteAsync(string pathAndQuery)
    {
        using var response = await Http.DeleteAsync(new Uri(pathAndQuery, UriKind.Relative), Cancel);
        return await Answer.ReadAsync(response);
    }

    public async Task<JsonElement> GetJsonAsync(string path) =>
        JsonDocument.Parse(await Http.GetStringAsync(new Uri(path, UriKind.Relative), Cancel)).RootElement;

    /// <summary>The stream's events as their publisher's part of the JSON.</summary>
    public async Task<string[]> ReadAsync(string stream) =>
        [.. (await Log.ReadAfterAsync(stream, StreamPosition.Zero, 100_000, Cancel)).Select(
            stored => "{" + Encoding.UTF8.GetString(stored.Frame.Json.Span))];

    public Task StopAsync() => _app.StopAsync(Cancel);

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        Grpc.Dispose();
        await _app.DisposeAsync();
    }

    private sealed class LogCapture : ILoggerProvider, ILogger
    {
        private readonly ConcurrentQueue<string> _names = new();

        public IReadOnlyCollection<string> Names => _names;

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
            {
                _names.Enqueue(eventId.Name ?? "");
            }
        }

        public void Dispose()
        {
        }
    }
}

/// <summary>A response, read to its end.</summary>
internal sealed record Answer(HttpStatusCode Status, string? ContentType, TimeSpan? RetryAfter, string Body)
{
    public JsonElement Json => JsonDocument.Parse(Body).RootElement;

    public string Problem => ContentType == "application/problem+json" ? Json.GetProperty("type").GetString()! : "none: " + Body;

    public int Accepted => Json.GetProperty("accepted").GetInt32();

    public int Duplicates => Json.GetProperty("duplicates").GetInt32();

    public StreamPosition First => Position("first");

    public StreamPosition Last => Position("last");

    public static async Task<Answer> ReadAsync(HttpResponseMessage response) => new(
        response.StatusCode,
        response.Content.Headers.ContentType?.ToString(),
        response.Headers.RetryAfter?.Delta,
        await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));

    public Answer ShouldBe(HttpStatusCode status, string? problem = null)
    {
        Assert.True(Status == status, $"Expected {status}, was {Status}: {Body}");
        if (problem is not null)
        {
            Assert.Equal("urn:aspirestreaming:problem:" + problem, Problem);
            Assert.Equal((int)status, Json.GetProperty("status").GetInt32());
            Assert.NotEmpty(Json.GetProperty("title").GetString()!);
            Assert.NotEmpty(Json.GetProperty("detail").GetString()!);
        }

        return this;
    }

    public Answer ShouldBeOk(int accepted, int duplicates = 0)
    {
        ShouldBe(HttpStatusCode.OK);
        Assert.Equal((accepted, duplicates), (Accepted, Duplicates));
        return this;
    }

    public Answer WithField(string field)
    {
        Assert.Equal(field, Json.GetProperty("field").GetString());
        return this;
    }

    public Answer WithNumber(string name, long value)
    {
        Assert.True(Json.TryGetProperty(name, out var member), $"No '{name}' in {Body}");
        Assert.Equal(value, member.GetInt64());
        return this;
    }

    private StreamPosition Position(string name) =>
        StreamPosition.TryParse(Json.GetProperty(name).GetString(), out var position) ? position : throw new FormatException(Body);
}
