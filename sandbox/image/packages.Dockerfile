# The lower half of the sandbox's image: an interpreter and its packages. It changes
# rarely, so it is an image of its own, and a new guest is built upon it in seconds.
# `assistants sandbox build` chooses the base and unpacks the pinned packages
# (requirements.txt) for its Python into `site/`: nothing is downloaded while this runs,
# and neither pip nor a compiler is inside afterwards.
ARG BASE_IMAGE=python:3.12-slim
FROM ${BASE_IMAGE}

COPY site /opt/sandbox/site

# One layer, so that what is removed is not carried along. The byte code and the font
# cache are made here because the root is read-only later; matplotlib's own fonts serve
# everybody. Setuid bits go: nothing in here may become anybody else.
RUN set -eu; \
    packages="$(python3 -c 'import site; print(site.getsitepackages()[0])')"; \
    mkdir -p "$packages" /usr/share/fonts/truetype /mnt/data; \
    python3 -m pip uninstall -q -y --break-system-packages setuptools wheel pip \
      >/dev/null 2>&1 || true; \
    printf '/opt/sandbox/site\n/opt/sandbox/guest\n' > "$packages/sandbox.pth"; \
    ln -s /opt/sandbox/site/matplotlib/mpl-data/fonts/ttf /usr/share/fonts/truetype/dejavu; \
    # Some packages carry templates and code of other Pythons that do not compile.
    python3 -m compileall -q -j 0 /opt/sandbox/site >/dev/null || true; \
    MPLCONFIGDIR=/opt/sandbox/matplotlib python3 -c 'import matplotlib.pyplot'; \
    python3 -c 'import IPython, PIL, docx, numpy, openpyxl, pandas, pptx, pypdf, \
scipy.stats, seaborn, sklearn.linear_model, statsmodels.api, sympy'; \
    find / -xdev -type f -perm /6000 -exec chmod a-s {} +; \
    rm -rf /var/lib/apt/lists/* /var/cache/apt "$HOME/.cache" /tmp/*
