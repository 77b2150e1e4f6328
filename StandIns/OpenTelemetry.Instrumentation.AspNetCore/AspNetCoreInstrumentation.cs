using System.Diagnostics;
using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Metadata;

namespace OpenTelemetry.Instrumentation.AspNetCore;

/// <summary>
/// ASP.NET Core starts the span of each request itself; this listens to its diagnostic events to name the span, to set the
/// attributes of the HTTP semantic conventions and to apply the filter.
/// </summary>
internal sealed class AspNetCoreInstrumentation : IObserver<DiagnosticListener>, IObserver<KeyValuePair<string, object?>>, IDisposable
{
    private const string ListenerName = "Microsoft.AspNetCore";
    private const string StartEvent = "Microsoft.AspNetCore.Hosting.HttpRequestIn.Start";
    private const string StopEvent = "Microsoft.AspNetCore.Hosting.HttpRequestIn.Stop";
    private const string HostingException = "Microsoft.AspNetCore.Hosting.UnhandledException";
    private const string UnhandledException = "Microsoft.AspNetCore.Diagnostics.UnhandledException";

    private static readonly HashSet<string> KnownMethods = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

    private readonly AspNetCoreTraceInstrumentationOptions _options;
    private readonly IDisposable _listeners;
    private readonly List<IDisposable> _subscriptions = [];

    public AspNetCoreInstrumentation(AspNetCoreTraceInstrumentationOptions options)
    {
        _options = options;
        _listeners = DiagnosticListener.AllListeners.Subscribe(this);
    }

    public void OnNext(DiagnosticListener value)
    {
        if (value.Name == ListenerName)
        {
            var subscription = value.Subscribe(
                this, name => name is StartEvent or StopEvent or HostingException or UnhandledException
                    or "Microsoft.AspNetCore.Hosting.HttpRequestIn");
            lock (_subscriptions)
            {
                _subscriptions.Add(subscription);
            }
        }
    }

    public void OnNext(KeyValuePair<string, object?> value)
    {
        if (Activity.Current is not { } activity)
        {
            return;
        }

        switch (value.Key)
        {
            case StartEvent when value.Value is HttpContext context:
                OnStart(activity, context);
                break;
            case StopEvent when value.Value is HttpContext context:
                OnStop(activity, context);
                break;
            case HostingException or UnhandledException when value.Value is not null:
                OnException(activity, value.Value);
                break;
        }
    }

    public void OnCompleted()
    {
    }

    public void OnError(Exception error)
    {
    }

    public void Dispose()
    {
        _listeners.Dispose();
        lock (_subscriptions)
        {
            _subscriptions.ForEach(subscription => subscription.Dispose());
            _subscriptions.Clear();
        }
    }

    private static string MethodOf(HttpRequest request) => KnownMethods.Contains(request.Method) ? request.Method : "_OTHER";

    private static void SetName(Activity activity, HttpRequest request, string? route)
    {
        var method = MethodOf(request) is "_OTHER" ? "HTTP" : request.Method;
        activity.DisplayName = string.IsNullOrEmpty(route) ? method : $"{method} {route}";
    }

    private void OnStart(Activity activity, HttpContext context)
    {
        if (!activity.IsAllDataRequested)
        {
            return;
        }

        if (!IsWanted(context))
        {
            activity.IsAllDataRequested = false;
            activity.ActivityTraceFlags &= ~ActivityTraceFlags.Recorded;
            return;
        }

        var request = context.Request;
        SetName(activity, request, route: null);
        activity.SetTag("http.request.method", MethodOf(request));
        if (MethodOf(request) == "_OTHER")
        {
            activity.SetTag("http.request.method_original", request.Method);
        }

        activity.SetTag("url.scheme", request.Scheme);
        activity.SetTag("url.path", (request.PathBase + request.Path).Value);
        if (request.Host.HasValue)
        {
            activity.SetTag("server.address", request.Host.Host);
            if (request.Host.Port is { } port)
            {
                activity.SetTag("server.port", port);
            }
        }

        if (request.Headers.UserAgent.ToString() is { Length: > 0 } userAgent)
        {
            activity.SetTag("user_agent.original", userAgent);
        }

        activity.SetTag("network.protocol.version", request.Protocol.AsSpan().TrimStart("HTTP/").ToString());
        _options.EnrichWithHttpRequest?.Invoke(activity, request);
    }

    private void OnStop(Activity activity, HttpContext context)
    {
        if (!activity.IsAllDataRequested)
        {
            return;
        }

        var route = context.GetEndpoint()?.Metadata.GetMetadata<IRouteDiagnosticsMetadata>()?.Route;
        SetName(activity, context.Request, route);
        if (!string.IsNullOrEmpty(route))
        {
            activity.SetTag("http.route", route);
        }

        var status = context.Response.StatusCode;
        activity.SetTag("http.response.status_code", status);
        if (status >= 500)
        {
            activity.SetStatus(ActivityStatusCode.Error);
            if (activity.GetTagItem("error.type") is null)
            {
                activity.SetTag("error.type", status.ToString(CultureInfo.InvariantCulture));
            }
        }

        _options.EnrichWithHttpResponse?.Invoke(activity, context.Response);
    }

    private void OnException(Activity activity, object payload)
    {
        // The payload is an anonymous type; its property is the only contract there is.
        if (!activity.IsAllDataRequested || payload.GetType().GetProperty("exception")?.GetValue(payload) is not Exception exception)
        {
            return;
        }

        activity.SetTag("error.type", exception.GetType().FullName);
        activity.SetStatus(ActivityStatusCode.Error);
        if (_options.RecordException)
        {
            activity.AddException(exception);
        }

        _options.EnrichWithException?.Invoke(activity, exception);
    }

    private bool IsWanted(HttpContext context)
    {
        try
        {
            return _options.Filter?.Invoke(context) ?? true;
        }
#pragma warning disable CA1031 // A filter that throws must not fail the request.
        catch (Exception)
#pragma warning restore CA1031
        {
            return false;
        }
    }
}
