using System.Globalization;
using System.Net;
using System.Net.Http.Json;

namespace AspireStreaming.AppHost.Tests;

/// <summary>A publisher that appends numbered events, retrying each batch with the same ids until it is acknowledged.</summary>
internal sealed class Publisher(HttpClient client, string stream, History history) : IDisposable
{
    private int _number;

    public int Retries { get; private set; }

    public void Dispose() => client.Dispose();

    /// <summary>Publishes one batch and returns when it is acknowledged.</summary>
    public async Task PublishAsync(int count, CancellationToken cancellationToken)
    {
        var ids = Enumerable.Range(0, count).Select(_ => string.Create(CultureInfo.InvariantCulture, $"{stream}:{++_number}")).ToArray();
        var events = ids.Select(id => new { id, source = "/tests", type = "token", data = new { text = $"event {id}" } }).ToArray();
        while (true)
        {
            try
            {
                using var response = await client.PostAsJsonAsync(new Uri($"/streams/{stream}/events", UriKind.Relative), events, cancellationToken);
                if (response.StatusCode == HttpStatusCode.OK)
                {
                    foreach (var id in ids)
                    {
                        history.Acknowledge(id);
                    }

                    return;
                }

                Assert.True(
                    response.StatusCode is HttpStatusCode.ServiceUnavailable or HttpStatusCode.TooManyRequests,
                    $"{response.StatusCode}: {await response.Content.ReadAsStringAsync(cancellationToken)}");
            }
            catch (Exception exception) when (exception is HttpRequestException or IOException)
            {
                // The service is away; the same ids make the next try safe.
            }

            Retries++;
            await Reconnecting.PauseAsync(cancellationToken);
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    /// <summary>Publishes batches until stopped.</summary>
    public async Task PublishUntilAsync(Task stop, int batch, CancellationToken cancellationToken)
    {
        while (!stop.IsCompleted)
        {
            await PublishAsync(batch, cancellationToken);
        }
    }
}
