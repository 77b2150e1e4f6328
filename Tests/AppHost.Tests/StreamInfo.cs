using System.Net;
using System.Net.Http.Json;

namespace AspireStreaming.AppHost.Tests;

/// <summary>What <c>GET /streams/{stream}</c> says.</summary>
internal sealed record StreamInfo(string Name, string First, string Last, long Count, string ArchivedTo, string State)
{
    public static async Task<StreamInfo?> ReadAsync(HttpClient client, string stream, CancellationToken cancellationToken)
    {
        using var response = await client.GetAsync(new Uri($"/streams/{stream}", UriKind.Relative), cancellationToken);
        return response.StatusCode == HttpStatusCode.OK
            ? await response.Content.ReadFromJsonAsync<StreamInfo>(cancellationToken)
            : null;
    }
}
