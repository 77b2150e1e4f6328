using System.Net;
using System.Net.Http.Headers;

namespace AspireStreaming.Client.Http;

/// <summary>How a service is reached: its address, the caller's credentials, and the limits of one request. Not owner of the connection.</summary>
internal sealed class ServiceConnection
{
    private readonly HttpClient _http;
    private readonly StreamingClientOptions _options;

    public ServiceConnection(HttpClient http, Uri fallback, StreamingClientOptions options, TimeProvider time)
    {
        _http = http;
        _options = options;
        Time = time;
        Url = new Uri((http.BaseAddress ?? fallback).AbsoluteUri.TrimEnd('/') + "/");
    }

    /// <summary>Where the service is, with a slash at the end.</summary>
    public Uri Url { get; }

    public TimeProvider Time { get; }

    public StreamingClientOptions Options => _options;

    public Uri Uri(string pathAndQuery) => new(Url, pathAndQuery);

    /// <summary>Sends and waits for the headers, within a limit.</summary>
    /// <param name="request">The request.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <param name="wait">How long the service was asked to wait, on top of the limit.</param>
    /// <exception cref="TimeoutException">No headers in time.</exception>
    public async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken, TimeSpan wait = default)
    {
        if (await AccessTokenAsync(cancellationToken) is { } token)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }

        if (_options.ApiKey is { } key)
        {
            request.Headers.TryAddWithoutValidation(ApiKeyHeader, key);
        }

        return await _http.SendAsync(request, _options.RequestTimeout + wait, Time, cancellationToken);
    }

    /// <summary>The header that carries an API key.</summary>
    public const string ApiKeyHeader = "X-Api-Key";

    public async ValueTask<string?> AccessTokenAsync(CancellationToken cancellationToken) =>
        _options.AccessTokenProvider is { } provider ? await provider(cancellationToken) : _options.AccessToken;

    /// <summary>Reads a body of bounded size within the limit of time.</summary>
    /// <returns>Null when it is larger than <paramref name="limit"/> bytes.</returns>
    public Task<ReadOnlyMemory<byte>?> ReadBodyAsync(HttpContent content, int limit, CancellationToken cancellationToken) =>
        content.ReadBodyAsync(limit, _options.RequestTimeout, Time, cancellationToken);

    /// <exception cref="ApiException">The answer is another one.</exception>
    public async Task EnsureAsync(HttpResponseMessage response, HttpStatusCode expected, string request, CancellationToken cancellationToken)
    {
        if (response.StatusCode != expected)
        {
            throw await FaultAsync(response, request, cancellationToken);
        }
    }

    /// <summary>The fault that an answer other than success stands for.</summary>
    public Task<ApiException> FaultAsync(HttpResponseMessage response, string request, CancellationToken cancellationToken) =>
        response.FaultAsync(request, _options.RequestTimeout, Time, cancellationToken);
}
