using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Local;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.Orchestration;

/// <summary>Where the lines of the resources go besides the backlog: to the console, or (in tests) to the host's own log.</summary>
internal sealed class ResourceOutput
{
    private readonly ConsoleLogWriter? _console;
    private readonly ResourceLoggerService _resourceLoggers;
    private readonly ILoggerFactory _loggers;
    private readonly IHostEnvironment _environment;
    private Dictionary<string, string> _displayNames = [];

    public ResourceOutput(
        ResourceLoggerService resourceLoggers,
        ILoggerFactory loggers,
        IHostEnvironment environment,
        DistributedApplicationOptions options)
    {
        _resourceLoggers = resourceLoggers;
        _loggers = loggers;
        _environment = environment;
        _console = options.EnableResourceLogging ? null : new ConsoleLogWriter();
        resourceLoggers.LineLogged = (id, line, isError) => Show(_displayNames.GetValueOrDefault(id, id), line, isError);
    }

    public void SetInstances(IReadOnlyCollection<ResourceInstance> instances)
    {
        _displayNames = instances.ToDictionary(instance => instance.Id, instance => instance.DisplayName, StringComparer.OrdinalIgnoreCase);
        _console?.Align(instances.Select(instance => instance.DisplayName));
    }

    public void Write(ResourceInstance instance, string line, bool isError)
    {
        _resourceLoggers.Append(instance.Id, line, isError);
        Show(instance.DisplayName, line, isError);
    }

    private void Show(string name, string line, bool isError)
    {
        if (_console is not null)
        {
            _console.Write(name, line, isError);
        }
        else
        {
            // The category of official hosting, so that filters for it work.
            _loggers.CreateLogger($"{_environment.ApplicationName}.Resources.{name}").Log(isError ? LogLevel.Error : LogLevel.Information, "{Line}", line);
        }
    }
}
