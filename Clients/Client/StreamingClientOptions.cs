using AspireStreaming.Client.Diagnostics;
using AspireStreaming.Client.Http;
using Microsoft.Extensions.Logging;

namespace AspireStreaming.Client;

/// <summary>Where the services are, and how long to try.</summary>
public sealed class StreamingClientOptions
{
    /// <summary>The Publisher API. Default: the resource <c>publisher-api</c>, through service discovery.</summary>
    public Uri PublisherUrl { get; set; } = new("https+http://publisher-api");

    /// <summary>The Stream API. Default: the resource <c>stream-api</c>, through service discovery.</summary>
    public Uri StreamApiUrl { get; set; } = new("https+http://stream-api");

    /// <summary>The Stream API's gRPC endpoint. Default: the endpoint <c>grpc</c> of <c>stream-api</c>, through service discovery.</summary>
    public Uri StreamApiGrpcUrl { get; set; } = new("http://_grpc.stream-api");

    /// <summary>The bearer token to send; null = none. For one that changes, <see cref="AccessTokenProvider"/>.</summary>
    public string? AccessToken { get; set; }

    /// <summary>Asked for the bearer token before each request and each connection; wins over <see cref="AccessToken"/>.</summary>
    public Func<CancellationToken, ValueTask<string?>>? AccessTokenProvider { get; set; }

    /// <summary>The API key to send; null = none.</summary>
    public string? ApiKey { get; set; }

    /// <summary>The <c>source</c> of published events that name none; null = the service's <c>/publisher</c>.</summary>
    public string? Source { get; set; }

    /// <summary>How long one attempt of a request may take until its answer is complete. Default 30 s.</summary>
    public TimeSpan RequestTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How long a publish or a read is repeated from its first failure, while the service is away or busy; 0 = never. Default 60 s.
    /// </summary>
    public TimeSpan RetryFor { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>How long a subscription tries for its first connection; once connected it never gives up. Default 60 s.</summary>
    public TimeSpan ConnectWithin { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>Silence after which a connection counts as dead; the service is heard every 15 s at least. Default 45 s.</summary>
    public TimeSpan IdleTimeout { get; set; } = TimeSpan.FromSeconds(45);

    /// <summary>
    /// Whether events that are published within a recorded trace carry it in the extension <c>traceparent</c>, so that whoever gets
    /// them can link to it. Default true.
    /// </summary>
    public bool PropagateTraceContext { get; set; } = true;

    /// <summary>Told before each repetition of a publish or a read.</summary>
    public Action<RetryNotice>? OnRetry { get; set; }

    internal void ReportRetry(ILogger logger, Exception fault, TimeSpan delay)
    {
        ClientMetrics.Retries.Add(1);
        if (logger.IsEnabled(LogLevel.Warning))
        {
            logger.RequestRetried(Faults.Describe(fault), delay);
        }

        OnRetry?.Invoke(new RetryNotice(fault, delay));
    }

    internal void Validate()
    {
        ArgumentNullException.ThrowIfNull(PublisherUrl);
        ArgumentNullException.ThrowIfNull(StreamApiUrl);
        ArgumentNullException.ThrowIfNull(StreamApiGrpcUrl);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(RequestTimeout, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThan(RetryFor, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThan(ConnectWithin, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(IdleTimeout, TimeSpan.Zero);
    }
}
