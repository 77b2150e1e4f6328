using System.Globalization;
using System.Net;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace AspireStreaming.ServiceDefaults.Tests.Discovery;

public sealed class ServiceDiscoveryTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("http://api/x?y=1", "http://10.0.0.1:81/x?y=1")]
    [InlineData("https://api/x", "https://10.0.0.2:444/x")]
    [InlineData("https+http://api/x", "https://10.0.0.2:444/x")]
    [InlineData("http+https://api/x", "http://10.0.0.1:81/x")]
    [InlineData("http://_grpc.api/x", "http://10.0.0.3:82/x")]
    [InlineData("https+http://plain/x", "https://host:9/x")]
    [InlineData("http://prefixed/x", "http://gateway/base/x")]
    [InlineData("https+http://only-http/x", "http://10.0.0.4:83/x")]
    [InlineData("http://unknown:5/x", "http://unknown:5/x")]
    [InlineData("https+http://unknown/x", "https://unknown/x")]
    [InlineData("http://127.0.0.1:5/x", "http://127.0.0.1:5/x")]
    public async Task Address_is_resolved_from_configuration_or_passed_through(string address, string expected)
    {
        using var host = Build(new()
        {
            ["services:api:http:0"] = "http://10.0.0.1:81",
            ["services:api:https:0"] = "https://10.0.0.2:444",
            ["services:api:grpc:0"] = "http://10.0.0.3:82",
            ["services:plain:default"] = "host:9",
            ["services:prefixed:http:0"] = "http://gateway/base/",
            ["services:only-http:http:0"] = "http://10.0.0.4:83",
        });

        Assert.Equal(expected, await SendAsync(host, address));
    }

    [Fact]
    public async Task Addresses_take_turns_and_a_reload_replaces_them()
    {
        using var host = Build(new() { ["Services:api:http:0"] = "http://a:1", ["Services:api:http:1"] = "http://b:1" });

        var first = new[] { await SendAsync(host, "http://api"), await SendAsync(host, "http://api"), await SendAsync(host, "http://api") };
        var configuration = (IConfigurationRoot)host.Services.GetRequiredService<IConfiguration>();
        configuration["Services:api:http:0"] = "http://c:1";
        configuration["Services:api:http:1"] = "http://c:1";
        configuration.Reload();

        Assert.Equal(["http://a:1/", "http://b:1/", "http://a:1/"], first);
        Assert.Equal("http://c:1/", await SendAsync(host, "http://api"));
    }

    [Fact]
    public async Task Request_keeps_its_address_for_the_caller()
    {
        using var host = Build(new() { ["services:api:http:0"] = "http://a:1" });
        using var client = host.Services.GetRequiredService<IHttpClientFactory>().CreateClient("probe");
        using var request = new HttpRequestMessage(HttpMethod.Get, "http://api/x");

        using var response = await client.SendAsync(request, Cancellation);

        Assert.Equal("http://api/x", request.RequestUri?.ToString());
    }

    private static IHost Build(Dictionary<string, string?> settings)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Configuration.AddInMemoryCollection(settings);
        builder.AddServiceDefaults();
        builder.Services.AddHttpClient("probe").ConfigurePrimaryHttpMessageHandler(() => new EchoAddress());
        return builder.Build();
    }

    private static async Task<string> SendAsync(IHost host, string address)
    {
        using var client = host.Services.GetRequiredService<IHttpClientFactory>().CreateClient("probe");
        return await client.GetStringAsync(address, Cancellation);
    }

    private sealed class EchoAddress : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            Task.FromResult(new HttpResponseMessage(HttpStatusCode.OK)
            {
                Content = new StringContent(string.Create(CultureInfo.InvariantCulture, $"{request.RequestUri}")),
            });
    }
}
