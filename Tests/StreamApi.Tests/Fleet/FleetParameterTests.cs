using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using AspireStreaming.StreamApi.Tests.Support;

namespace AspireStreaming.StreamApi.Tests.Fleet;

public sealed class FleetParameterTests(SharedHost shared)
{
    [Theory]
    [InlineData("/connections?scope=planet", "scope")]
    [InlineData("/connections?limit=0", "limit")]
    [InlineData("/connections?limit=1001", "limit")]
    [InlineData("/connections?cursor=a.b", "cursor")]
    [InlineData("/streams?scope=x", "scope")]
    [InlineData("/streams/s?scope=x", "scope")]
    [InlineData("/stats?scope=", "scope")]
    public async Task A_malformed_parameter_is_named(string path, string parameter)
    {
        using var response = await shared.Host.Client.GetAsync(path, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        var problem = await response.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken);
        Assert.Equal(parameter, problem.GetProperty("parameter").GetString());
    }
}
