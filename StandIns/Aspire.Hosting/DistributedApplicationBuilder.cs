using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Eventing;
using Aspire.Hosting.Orchestration;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting;

public class DistributedApplicationBuilder : IDistributedApplicationBuilder
{
    // Programs get 10 s, then servers 10 s; the rest is for what lies between.
    private static readonly TimeSpan ShutdownTimeout = TimeSpan.FromSeconds(40);

    private readonly HostApplicationBuilder _host;
    private readonly DistributedApplicationOptions _options;
    private readonly DistributedApplicationExecutionContextOptions _contextOptions = new(DistributedApplicationOperation.Run);
    private readonly BuilderInterception? _interception = BuilderInterception.Current;

    public DistributedApplicationBuilder(string[] args)
        : this(new DistributedApplicationOptions { Args = args })
    {
    }

    public DistributedApplicationBuilder(DistributedApplicationOptions options)
        : this(options, null)
    {
    }

    internal DistributedApplicationBuilder(
        DistributedApplicationOptions options,
        Action<DistributedApplicationOptions, HostApplicationBuilderSettings>? configure)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        var settings = new HostApplicationBuilderSettings { Args = options.Args };
        configure?.Invoke(options, settings);
        _interception?.Creating(options, settings);

        AppHostAssembly = options.AssemblyName is { } name ? Assembly.Load(name) : Assembly.GetEntryAssembly();
        AppHostDirectory = options.ProjectDirectory ?? Metadata("apphostprojectpath") ?? Directory.GetCurrentDirectory();
        AppHostPath = Path.Combine(AppHostDirectory, Metadata("apphostprojectname") ?? AppHostAssembly?.GetName().Name ?? "AppHost");
        if (Directory.Exists(AppHostDirectory))
        {
            settings.ContentRootPath ??= AppHostDirectory;
        }

        _host = new HostApplicationBuilder(settings);
        Configure();
        ExecutionContext = new DistributedApplicationExecutionContext(_contextOptions);
        AddServices();
        _interception?.Created(this);
    }

    public ConfigurationManager Configuration => _host.Configuration;

    public string AppHostDirectory { get; }

    public string AppHostPath { get; }

    public Assembly? AppHostAssembly { get; }

    public IHostEnvironment Environment => _host.Environment;

    public IServiceCollection Services => _host.Services;

    public IDistributedApplicationEventing Eventing { get; } = new DistributedApplicationEventing();

    public DistributedApplicationExecutionContext ExecutionContext { get; }

    public IResourceCollection Resources { get; } = new ResourceCollection();

    public IResourceBuilder<T> AddResource<T>(T resource)
        where T : IResource
    {
        ArgumentNullException.ThrowIfNull(resource);
        if (Resources.TryGetByName(resource.Name, out var existing))
        {
            throw new DistributedApplicationException(
                $"Cannot add resource of type '{resource.GetType()}' with name '{resource.Name}' because resource of type "
                    + $"'{existing.GetType()}' with that name already exists. Resource names are case-insensitive.");
        }

        Resources.Add(resource);
        return CreateResourceBuilder(resource);
    }

    public IResourceBuilder<T> CreateResourceBuilder<T>(T resource)
        where T : IResource => new DistributedApplicationResourceBuilder<T>(this, resource);

    public DistributedApplication Build()
    {
        _interception?.Building(this);
        if (Configuration["AppHost:Operation"] == "publish" || Configuration["Publishing:Publisher"] is { Length: > 0 })
        {
            throw new DistributedApplicationException(
                "This is the stand-in for Aspire.Hosting, which runs applications but does not publish them. Build with the official packages for that.");
        }

        Services.AddSingleton(new DistributedApplicationModel(Resources));
        var app = new DistributedApplication(_host.Build());
        _contextOptions.ServiceProvider = app.Services;
        return _interception?.Built(app) ?? app;
    }

    private void Configure()
    {
        if (_options.Args is { Length: > 0 } args)
        {
            Configuration.AddCommandLine(args, new Dictionary<string, string>
            {
                ["--operation"] = "AppHost:Operation",
                ["--publisher"] = "Publishing:Publisher",
                ["--output-path"] = "Publishing:OutputPath",
            });
        }

        Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["AppHost:Directory"] = AppHostDirectory,
            ["AppHost:Path"] = AppHostPath,
            ["AppHost:Sha256"] = Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(AppHostPath))),
        });
    }

    private void AddServices()
    {
        // The host's own messages about its lifetime and about probes that fail while something starts are noise here.
        _host.Logging.AddFilter("Microsoft.Hosting.Lifetime", LogLevel.Warning);
        _host.Logging.AddFilter("Microsoft.Extensions.Diagnostics.HealthChecks", LogLevel.None);
        _host.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
        _host.Logging.AddFilter("System.Net.Http.HttpClient", LogLevel.Warning);
        Services.Configure<HostOptions>(options => options.ShutdownTimeout = ShutdownTimeout);
        Services.Configure<ResourceNotificationServiceOptions>(options => options.DefaultWaitBehavior =
            _options.DisableDashboard ? WaitBehavior.StopOnResourceUnavailable : WaitBehavior.WaitOnResourceUnavailable);
        Services.AddHealthChecks();
        Services.AddSingleton(_options);
        Services.AddSingleton(ExecutionContext);
        Services.AddSingleton(Eventing);
        Services.AddSingleton(new AppHostLocation(AppHostDirectory));
        Services.AddSingleton<ResourceLoggerService>();
        Services.AddSingleton<ResourceNotificationService>();
        Services.AddSingleton(provider => new ResourceCommandService(
            provider.GetRequiredService<ResourceNotificationService>(), provider.GetRequiredService<ResourceLoggerService>(), provider));
        Services.AddSingleton<ResourceOutput>();
        Services.AddSingleton<ServerDataFolders>();
        Services.AddSingleton<LaunchPlanner>();
        Services.AddSingleton<EndpointRouter>();
        Services.AddSingleton<HealthMonitor>();
        Services.AddSingleton<DashboardHost>();
        Services.AddHostedService<ApplicationLifecycle>();
        Services.AddHostedService<StartupSummary>();
        Services.AddHostedService(provider => provider.GetRequiredService<DashboardHost>());
        Services.AddHostedService<ApplicationOrchestrator>();
    }

    private string? Metadata(string key) => AppHostAssembly?.GetCustomAttributes<AssemblyMetadataAttribute>()
        .FirstOrDefault(attribute => string.Equals(attribute.Key, key, StringComparison.OrdinalIgnoreCase))?.Value;
}
