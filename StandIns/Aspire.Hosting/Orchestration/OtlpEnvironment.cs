using System.Net.Sockets;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Hosting;

namespace Aspire.Hosting.Orchestration;

/// <summary>The variables of the OpenTelemetry exporter.</summary>
internal static class OtlpEnvironment
{
    private static readonly TimeSpan ProbeTimeout = TimeSpan.FromMilliseconds(250);

    public static async Task Add(EnvironmentCallbackContext context)
    {
        if (context.Instance is not { } instance)
        {
            return;
        }

        var variables = context.EnvironmentVariables;

        // The official dashboard listens on these addresses. The stand-in's dashboard takes no OTLP, so an exporter is only sent
        // there if something else (a collector, a dashboard of its own) listens.
        var (url, protocol) = (
            instance.Configuration["ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL"],
            instance.Configuration["ASPIRE_DASHBOARD_OTLP_HTTP_ENDPOINT_URL"]) switch
        {
            ({ Length: > 0 } grpc, _) => (grpc, "grpc"),
            (_, { Length: > 0 } http) => (http, "http/protobuf"),
            _ => (null, null),
        };
        if (url is not null && protocol is not null && await IsListeningAsync(url, context.CancellationToken).ConfigureAwait(false))
        {
            variables["OTEL_EXPORTER_OTLP_ENDPOINT"] = url;
            variables["OTEL_EXPORTER_OTLP_PROTOCOL"] = protocol;
            if (instance.Configuration["AppHost:OtlpApiKey"] is { Length: > 0 } key)
            {
                variables["OTEL_EXPORTER_OTLP_HEADERS"] = $"x-otlp-api-key={key}";
            }
        }

        variables["OTEL_SERVICE_NAME"] = context.Resource.Name;
        variables["OTEL_RESOURCE_ATTRIBUTES"] = $"service.instance.id={instance.Suffix}";
        if (instance.HostEnvironment.IsDevelopment())
        {
            variables["OTEL_BLRP_SCHEDULE_DELAY"] = "1000";
            variables["OTEL_BSP_SCHEDULE_DELAY"] = "1000";
            variables["OTEL_METRIC_EXPORT_INTERVAL"] = "1000";
            variables["OTEL_TRACES_SAMPLER"] = "always_on";
            variables["OTEL_METRICS_EXEMPLAR_FILTER"] = "trace_based";
            variables["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "true";
        }
    }

    private static async Task<bool> IsListeningAsync(string url, CancellationToken cancellationToken)
    {
        if (!Uri.TryCreate(url, UriKind.Absolute, out var address))
        {
            return false;
        }

        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(ProbeTimeout);
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync(address.Host, address.Port, timeout.Token).ConfigureAwait(false);
            return true;
        }
        catch (Exception exception) when (exception is SocketException or OperationCanceledException)
        {
            cancellationToken.ThrowIfCancellationRequested();
            return false;
        }
    }
}
