namespace OpenTelemetry.Trace;

public static class HttpClientInstrumentationTracerProviderBuilderExtensions
{
    /// <summary>
    /// .NET's own client spans, which follow the semantic conventions already (the query is redacted). The overloads with
    /// <c>HttpClientTraceInstrumentationOptions</c> are not offered.
    /// </summary>
    public static TracerProviderBuilder AddHttpClientInstrumentation(this TracerProviderBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.AddSource("System.Net.Http");
    }
}
