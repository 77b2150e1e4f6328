using System.Buffers;

namespace AspireStreaming.Client.Http;

/// <summary>What both clients do with requests and answers.</summary>
internal static class ApiRequests
{
    private const int MaxProblemBytes = 64 * 1024;

    /// <summary>Sends and waits for the headers, within a limit.</summary>
    /// <exception cref="TimeoutException">No headers in time.</exception>
    public static async Task<HttpResponseMessage> SendAsync(
        this HttpClient http, HttpRequestMessage request, TimeSpan timeout, TimeProvider time, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            return await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, either.Token);
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"{request.RequestUri} did not answer within {timeout.TotalSeconds:0.#} s", exception);
        }
    }

    /// <summary>Reads a body of bounded size.</summary>
    /// <returns>Null when it is larger than <paramref name="limit"/> bytes.</returns>
    public static async Task<ReadOnlyMemory<byte>?> ReadBodyAsync(
        this HttpContent content, int limit, TimeSpan timeout, TimeProvider time, CancellationToken cancellationToken)
    {
        using var expiry = new CancellationTokenSource(timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(expiry.Token, cancellationToken);
        try
        {
            var stream = await content.ReadAsStreamAsync(either.Token);
            await using (stream)
            {
                var length = content.Headers.ContentLength ?? 0;
                if (length > limit)
                {
                    return null;
                }

                var body = new ArrayBufferWriter<byte>((int)Math.Max(length, 4096));
                while (await stream.ReadAsync(body.GetMemory(4096), either.Token) is > 0 and var read)
                {
                    body.Advance(read);
                    if (body.WrittenCount > limit)
                    {
                        return null;
                    }
                }

                return body.WrittenMemory;
            }
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"an answer did not arrive within {timeout.TotalSeconds:0.#} s", exception);
        }
    }

    /// <summary>The fault that an answer other than success stands for.</summary>
    public static async Task<ApiException> FaultAsync(
        this HttpResponseMessage response, string request, TimeSpan timeout, TimeProvider time, CancellationToken cancellationToken)
    {
        var body = await response.Content.ReadBodyAsync(MaxProblemBytes, timeout, time, cancellationToken);
        var problem = body is { } bytes ? ApiProblem.Read(bytes) : ApiProblem.None;
        var explanation = problem.ToString();
        return new ApiException(
            response.StatusCode,
            problem,
            RetryAfter(response, time),
            $"{request}: {(int)response.StatusCode} {(explanation.Length > 0 ? explanation : Reason(response))}");
    }

    private static string Reason(HttpResponseMessage response) =>
        response.ReasonPhrase is { Length: > 0 } reason ? reason : response.StatusCode.ToString();

    private static TimeSpan? RetryAfter(HttpResponseMessage response, TimeProvider time) => response.Headers.RetryAfter switch
    {
        { Delta: { } delta } => delta,
        { Date: { } date } when date > time.GetUtcNow() => date - time.GetUtcNow(),
        _ => null,
    };
}
